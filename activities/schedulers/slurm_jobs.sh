# Every job of this account that has a key for its name. A name and a folder may hold anything, so that a number which
# nobody can know beforehand stands before, between and behind them. Times as seconds since 1970.
# Set before: n, ended (words of jobs that have ended, as grep -E takes them).
SLURM_TIME_FORMAT=%s
rows=$(timeout 45 squeue --noheader --user="$who" --states=all --format="$n|%i|%T|%V|%r|$n|%j|$n|%Z|$n" </dev/null 2>&1)
printf '%s asked %s\n%s now %s\n' "$n" "$?" "$n" "$(date +%s)"
printf '%s\n' "$rows" | grep -v "^$n|" | head -n 20
rows=$(printf '%s\n' "$rows" | grep "^$n|[^|]*|[^|]*|.*|$n|hd-[A-Za-z0-9._-]*|$n|" | grep -Ev "^$n\|[^|]*\|($ended)\|")
printf '%s\n' "$rows"
printf '%s\n' "$rows" | sed -n "s/^$n|\([^|]*\)|.*|$n|\(hd-[A-Za-z0-9._-]*\)|$n|\(\/.*\)|$n\$/\1 \2 \3/p" | marks
printf '%s done\n' "$n"
