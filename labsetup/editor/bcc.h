/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What BCC adds to a cell's C, for clang to complete: its maps, and helpers of the kernel. */
#define htons(value) __builtin_bswap16(value)
#define ntohs(value) __builtin_bswap16(value)
#define htonl(value) __builtin_bswap32(value)
#define ntohl(value) __builtin_bswap32(value)

#define KEPT(key_t, value_t) \
	value_t *(*lookup)(key_t *key); \
	value_t *(*lookup_or_try_init)(key_t *key, value_t *first); \
	int (*update)(key_t *key, value_t *value); \
	int (*insert)(key_t *key, value_t *value); \
	int (*delete)(key_t *key); \
	void (*increment)(key_t key); \
	void (*atomic_increment)(key_t key)
#define MAP_4(name, key_t, value_t, size) struct { KEPT(key_t, value_t); } name
#define MAP_3(name, key_t, value_t) MAP_4(name, key_t, value_t, 0)
#define MAP_2(name, key_t) MAP_4(name, key_t, __u64, 0)
#define MAP_1(name) MAP_4(name, __u64, __u64, 0)
#define FIFTH(a, b, c, d, fifth, ...) fifth
#define BPF_HASH(...) FIFTH(__VA_ARGS__, MAP_4, MAP_3, MAP_2, MAP_1)(__VA_ARGS__)
#define BPF_PERCPU_HASH(...) BPF_HASH(__VA_ARGS__)
#define BPF_LRU_HASH(...) BPF_HASH(__VA_ARGS__)

#define ARRAY_3(name, value_t, size) struct { KEPT(int, value_t); } name
#define ARRAY_2(name, value_t) ARRAY_3(name, value_t, 0)
#define ARRAY_1(name) ARRAY_3(name, __u64, 0)
#define FOURTH(a, b, c, fourth, ...) fourth
#define BPF_ARRAY(...) FOURTH(__VA_ARGS__, ARRAY_3, ARRAY_2, ARRAY_1)(__VA_ARGS__)
#define BPF_PERCPU_ARRAY(...) BPF_ARRAY(__VA_ARGS__)
#define BPF_TABLE(kind, key_t, value_t, name, size) struct { KEPT(key_t, value_t); } name

#define REDIRECTS struct { int (*redirect_map)(int place, __u64 flags); }
#define BPF_DEVMAP(name, size) REDIRECTS name
#define BPF_CPUMAP(name, size) REDIRECTS name
#define BPF_PROG_ARRAY(name, size) struct { void (*call)(void *ctx, int place); } name
#define BPF_PERF_OUTPUT(name) \
	struct { \
		int (*perf_submit)(void *ctx, void *data, __u32 size); \
		int (*perf_submit_skb)(void *ctx, __u32 packet_size, void *data, __u32 size); \
	} name
#define BPF_RINGBUF_OUTPUT(name, pages) \
	struct { \
		int (*ringbuf_output)(void *data, __u64 size, __u64 flags); \
		void *(*ringbuf_reserve)(__u64 size); \
		void (*ringbuf_submit)(void *data, __u64 flags); \
		void (*ringbuf_discard)(void *data, __u64 flags); \
	} name

__u64 bpf_ktime_get_ns(void);
__u32 bpf_get_prandom_u32(void);
__u32 bpf_get_smp_processor_id(void);
long bpf_redirect(__u32 ifindex, __u64 flags);
long bpf_xdp_adjust_head(struct xdp_md *ctx, int delta);
long bpf_xdp_adjust_tail(struct xdp_md *ctx, int delta);
long bpf_xdp_adjust_meta(struct xdp_md *ctx, int delta);
long bpf_xdp_load_bytes(struct xdp_md *ctx, __u32 offset, void *to, __u32 size);
long bpf_xdp_store_bytes(struct xdp_md *ctx, __u32 offset, void *from, __u32 size);
__u64 bpf_xdp_get_buff_len(struct xdp_md *ctx);
__s64 bpf_csum_diff(__be32 *from, __u32 from_size, __be32 *to, __u32 to_size, __wsum seed);
long bpf_fib_lookup(void *ctx, struct bpf_fib_lookup *params, int size, __u32 flags);
struct bpf_sock *bpf_sk_lookup_tcp(void *ctx, struct bpf_sock_tuple *tuple, __u32 size, __u64 netns,
				   __u64 flags);
struct bpf_sock *bpf_skc_lookup_tcp(void *ctx, struct bpf_sock_tuple *tuple, __u32 size,
				    __u64 netns, __u64 flags);
struct bpf_sock *bpf_sk_lookup_udp(void *ctx, struct bpf_sock_tuple *tuple, __u32 size, __u64 netns,
				   __u64 flags);
long bpf_sk_release(void *sock);
long bpf_tcp_check_syncookie(void *sock, void *ip, __u32 ip_size, struct tcphdr *tcp,
			     __u32 tcp_size);
long bpf_trace_printk(const char *format, __u32 size, ...);
