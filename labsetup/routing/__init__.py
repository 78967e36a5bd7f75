"""A router that splits traffic over servers, by hand or by BGP."""
