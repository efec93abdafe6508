# How Slurm finds, takes and ends jobs by key. What users exported for their own sessions must not change our answers,
# and SLURM_CLUSTERS would have jobs looked for in another cluster than they are handed to.
for name in $(env | sed -n -E 's/^((SQUEUE|SACCT|SCANCEL|SINFO|SBATCH)_[A-Za-z0-9_]*)=.*/\1/p'); do unset "$name"; done
unset SLURM_CLUSTERS
SLURM_TIME_FORMAT=standard
export SLURM_TIME_FORMAT
who=$(id -un)
settles=30 # seconds in which a submission whose answer was lost must have arrived: twice MessageTimeout, and some

# Prints the id of an earlier submission, or nothing; fails when it cannot tell. A job that has begun says so itself.
# A submission that was refused may leave a job FAILED for BadConstraints: that one never counts.
find_job() {
  readlink claim && return 0
  rows=$(timeout 45 squeue --noheader --user="$who" --states=all --name="$key" --format='%F|%T|%r' </dev/null) || {
    printf '%s\n' "$rows"
    return 1
  }
  printf '%s\n' "$rows" | grep -v '|FAILED|BadConstraints$' | sed -n 's/^\([0-9][0-9]*\)|.*/\1/p' | sort -n | head -n 1
}

# How many jobs of ours wait or run. Far below the limit what was true some seconds ago will do. Set before: limit, final.
jobs_here() {
  listing 3
  [ "$heard" -eq 0 ] && [ -n "$known" ] && [ "$(($(living) + 200))" -gt "$limit" ] && listing 0
  [ "$heard" -eq 0 ] && living && return 0
  printf '%s\n' "$said"
  return 1
}

living() {
  printf '%s\n' "$rows" |
    awk -F'|' -v final="|$final|" 'NF == 6 && !index(final, "|" $3 "|") { number++ } END { print number + 0 }'
}

# --export is left at its default and the environment is made small instead: any other value of --export makes Slurm
# run a login shell on the node for every job, which is slow, and holds the job when it fails.
send() {
  out=$(
    set --
    cd .. && for name in HOME LOGNAME USER SHELL PATH LANG TZ LD_LIBRARY_PATH KRB5CCNAME SLURM_CONF; do
      eval "[ -z \"\${$name+set}\" ] || set -- \"\$@\" \"$name=\$$name\"" # the last one, too, may not be there
    done && umask 022 && env -i "$@" timeout 60 sbatch --parsable .howdah/script </dev/null 2>&1
  )
  code=$?
  case $out in
    '' | *[!0-9]*) id=$(printf '%s\n' "$out" | grep -E '^[0-9]+(;[^ ]*)?$' | tail -n 1) ;;
    *) id=$out ;;
  esac
  id=${id%%;*}
  if [ "$code" -eq 0 ] && [ -n "$id" ]; then
    note job "$id"
    say NEW "$id"
  fi
  # Only a refusal that is certain takes the intent back.
  is_ambiguous "$code" "$out" || rm -f intent
  printf '%s\n' "$out" | head -c 4000
  echo
  say FAILED "$code"
}

# Waiting jobs first: a job that starts between the two is then seen running by the second.
kill_job() {
  timeout 45 scancel --user="$who" --state=PENDING --name="$key" </dev/null &&
    timeout 45 scancel --user="$who" --name="$key" </dev/null
}

left() {
  rows=$(timeout 45 squeue --noheader --user="$who" --states=all --name="$key" --format='%T' </dev/null) || {
    printf '%s\n' "$rows"
    return 1
  }
  for state in $rows; do is_final "$state" || printf '%s ' "$state"; done
}
