# All batch jobs of this account whose name is a key, by one query for whoever wants them. Set before: scratch, view
# (what tells this site from others that share the scratch) and who; and corner.sh.
#
# `listing SECONDS` takes an answer that somebody was given less than so many seconds ago, or asks. It sets
#   heard  the exit code of squeue                 said  its words when that is not 0
#   rows   lines ID|NUMBER|STATE|REASON|NODES|KEY  age   seconds since it was asked
#   known  not empty when somebody had asked before
row='[^|]*\|[0-9]+\|[^|]*\|[^|]*\|[^|]*\|hd-[A-Za-z0-9._-]+'

listing() {
  kept=
  known=1
  rows=
  said=
  open_corner
  if [ -n "$corner" ]; then
    kept=$(which_cluster | cksum)
    kept=$corner/queue.${kept%% *}
  fi
  kept_listing "$1" && return 0
  if [ "$1" -gt 0 ] && [ -n "$kept" ] && command -v flock >/dev/null && { true >>"$kept.lock"; } 2>/dev/null; then
    exec 8>>"$kept.lock"
    # Whoever asks now asks for us, and gives up before we do. Where locks do not work we ask by ourselves; a network
    # file system whose locks are gone may even keep flock from noticing that its time is over.
    timeout -k 1 55 flock -w 50 8 2>/dev/null
    kept_listing "$1" || fresh_listing
    exec 8>&-
  else
    fresh_listing
  fi
}

# Login nodes of several clusters may share the scratch, the account and even the place of the configuration.
which_cluster() {
  printf '%s\n' "$view" "${SLURM_CONF-}" "$(command -v squeue)"
  grep -iE '^(ClusterName|SlurmctldHost|SlurmctldPort|ControlMachine) *=' "${SLURM_CONF:-/etc/slurm/slurm.conf}"
} 2>/dev/null

# Somebody's answer, or his failure: a controller that is away is not asked by everybody.
kept_listing() {
  [ "$1" -gt 0 ] && [ -n "$kept" ] || return 1
  if first_line "$kept" && younger "$1"; then
    good=$(grep -caE "^($row|end $took $number)\$" "$kept")
    [ "$good" = $((number + 1)) ] || return 1
    rows=$(sed -e 1d -e '$d' "$kept")
    heard=0
    return 0
  fi
  first_line "$kept.failed" && younger $(($1 < 10 ? $1 : 10)) || return 1
  [ "$(tail -n 1 "$kept.failed")" = "end $took $number" ] || return 1
  said=$(sed -e 1d -e '$d' "$kept.failed")
  heard=$number
}

# "howdah 1 TOOK NUMBER": how many seconds it took to ask, and how many rows there are, or the exit code.
first_line() {
  file=$1
  [ -f "$1" ] && [ -O "$1" ] && [ ! -L "$1" ] && IFS=' ' read -r word version took number <"$1" || return 1
  [ "$word $version" = "howdah 1" ] && [ "${#took}" -le 5 ] && [ "${#number}" -le 8 ] || return 1
  for word in "$took" "$number"; do
    case $word in 0) ;; '' | 0* | *[!0-9]*) return 1 ;; esac
  done
} 2>/dev/null

# By the file system's one clock: those of two login nodes may differ. A time that is yet to come is of one that was put
# right meanwhile.
younger() {
  limit_of_age=$1
  touch "$corner/now" && times=$(stat -c %Y "$file" "$corner/now") || return 1
  # shellcheck disable=SC2086
  set -- $times
  age=$(($2 - $1 + took))
  [ "$age" -ge 0 ] && [ "$age" -lt "$limit_of_age" ]
} 2>/dev/null

# A name may hold line breaks, and what follows them may look like a row: a number that nobody could know before stands
# on both sides. By user: a query by ids loads all jobs of the cluster. The lock must not outlive us.
fresh_listing() {
  known=
  began=$(date +%s)
  secret=$(od -An -N 12 -tx1 /dev/urandom | tr -d ' \n')
  said=$(
    exec 8>&-
    [ -n "$secret" ] || exit 1
    timeout 45 squeue --noheader --user="$who" --states=all --format="$secret|%i|%F|%T|%r|%N|%j|$secret" </dev/null 2>&1
  )
  heard=$?
  took=$(($(date +%s) - began))
  [ "$took" -ge 0 ] || took=0
  age=$took
  if [ "$heard" -ne 0 ]; then
    took=0 # it is the failure's age that counts
    said=$(printf '%s\n' "$said" | grep -v "^$secret|" | head -n 20)
    keep_listing "$kept.failed" "$heard" "$said"
    return 0
  fi
  rows=$(printf '%s\n' "$said" | sed -n -E -e '/\|FAILED\|BadConstraints\|/d' -e "s/^$secret\|($row)\|$secret\$/\1/p")
  said=
  keep_listing "$kept" "$(printf '%s\n' "$rows" | grep -c .)" "$rows"
}

keep_listing() {
  [ -n "$kept" ] || return 0
  {
    printf 'howdah 1 %s %s\n%s' "$took" "$2" "${3:+$3
}" && printf 'end %s %s\n' "$took" "$2"
  } >"$corner/new.$secret" && mv -f "$corner/new.$secret" "$1" && return 0
  rm -f "$corner/new.$secret"
} 2>/dev/null
