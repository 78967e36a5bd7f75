int somebody_elses(struct xdp_md *ctx)
{
	unsigned char *byte = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (byte + 34 > end || byte[12] != 8 || byte[13] != 0 || byte[23] != 17)
		return XDP_PASS;
	byte += 14 + (byte[14] & 15) * 4;
	if (byte + 8 > end)
		return XDP_PASS;
	return byte[2] == 0 && byte[3] == 53 ? XDP_DROP : XDP_PASS;
}
