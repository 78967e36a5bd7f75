int no_six(struct xdp_md *ctx)
{
	return 0;
}
