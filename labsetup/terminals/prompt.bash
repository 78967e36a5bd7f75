# Read by bash before each prompt, and by what a reader starts from there: where am I, is it still
# there?  All that /proc/2 has is the notebook's: it is the second process of its namespace.

_lab_look() {
	local host at=
	if [ -z "$XDP_LAB_NAME" ]; then
		PS1='outside# '
		return
	fi
	for host in /proc/2/root/run/netns/*; do
		[ /proc/self/ns/net -ef "$host" ] && at=${host##*/}
	done
	if [ -n "$at" ]; then
		export XDP_LAB_HOST=$at
		PS1="$XDP_LAB_NAME:$at# "
	elif [ "$(stat -Lc %i /proc/self/ns/net)" = "$XDP_LAB_AROUND" ]; then
		PS1="$XDP_LAB_NAME# "
	elif [ -n "$XDP_LAB_HOST" ] && [ -e "/proc/2/root/run/netns/$XDP_LAB_HOST" ]; then
		stty sane # a line that was being typed has left it otherwise
		printf '\nlab: the network of %s was made anew; you are on the new %s.\n' \
			"$XDP_LAB_NAME" "$XDP_LAB_HOST" >&2
		exec nsenter --root=/proc/2/root --mount=/proc/2/ns/mnt \
			--net="/proc/2/root/run/netns/$XDP_LAB_HOST" \
			bash -c 'cd "$1" && exec bash --norc --noprofile' bash "$PWD"
	elif [ "$PS1" != "no network# " ]; then
		printf '\nlab: the network that this shell was in is gone; run the cell that makes one with %s, or type exit.\n' \
			"${XDP_LAB_HOST:-your host}" >&2
		PS1='no network# '
		[ "$1" = now ] && printf '%s' "$PS1"
	fi
}

trap '_lab_look now' WINCH # the lab's word that there is another network
[ -n "$HISTFILE" ] && history -a
_lab_look
