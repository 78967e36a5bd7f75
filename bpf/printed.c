// SPDX-License-Identifier: GPL-2.0-or-later
/* No packet comes here: each line that a program prints goes to user space, whoever printed it. */
struct line {
	char text[256];
};

BPF_RINGBUF_OUTPUT(lines, 16); /* pages; what finds no room is lost */

TRACEPOINT_PROBE(bpf_trace, bpf_trace_printk)
{
	struct line *line = lines.ringbuf_reserve(sizeof(*line));

	if (!line)
		return 0;
	TP_DATA_LOC_READ_STR(line->text, bpf_string, sizeof(line->text));
	lines.ringbuf_submit(line, 0);
	return 0;
}
