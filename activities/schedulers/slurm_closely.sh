# Reads lines "KEY FOLDER". For a few jobs only: a query each, and the accounting, which may be slow. A controller that
# gave no answer just now (heard) is not asked again; the accounting is another daemon.
marked() { sed "s/^/$n $1 /"; }
describe() {
  ids=
  waiting=
  while IFS=' ' read -r key folder; do
    # Of several jobs with the key the one that claimed the attempt counts, whichever was noted.
    id=$(readlink "$folder/.howdah/claim")
    [ -z "$id" ] && [ -f "$folder/.howdah/job" ] && IFS= read -r id <"$folder/.howdah/job"
    id=$(printf '%s' "$id" | tr -cd 0-9)
    [ -n "$id" ] || continue
    ids=$ids,$id
    [ -f "$folder/.howdah/intent" ] && IFS= read -r sent <"$folder/.howdah/intent" &&
      printf '%s sent %s %s\n' "$n" "$key" "$sent"
    [ "$heard" = 0 ] || continue
    line=$(timeout 20 scontrol --oneliner show job "$id" 2>/dev/null </dev/null)
    printf '%s\n' "$line" | marked "scontrol $key"
    case $line in *"JobName=$key "*"JobState=PENDING"*) waiting=1 && place ;; esac
  done
  [ -n "$waiting" ] && limits
  [ -n "$ids" ] && account
  :
}

# When a waiting job is expected to start, and how many jobs of its partition go before it.
place() {
  timeout 20 squeue --noheader --start --jobs="$id" --format=%S 2>/dev/null </dev/null | marked "expected $key"
  partition=$(printf '%s\n' "$line" | sed -n 's/.* Partition=\([^ ]*\) .*/\1/p')
  timeout 20 squeue --noheader --states=PENDING --partition="$partition" --format='%Q %F' 2>/dev/null </dev/null |
    awk -v id="$id" '
      $2 == id { ours = $1 }
      { priority[NR] = $1; number[NR] = $2 }
      END {
        for (row = 1; row <= NR; row++)
          before += priority[row] > ours || (priority[row] == ours && number[row] < id)
        if (ours > 0) print before + 0
      }' | marked "before $key"
}

# What partitions, accounts and qualities of service allow, and how much of it is in use now.
limits() {
  timeout 20 scontrol --oneliner show partition 2>/dev/null </dev/null | marked partition
  timeout 20 scontrol --oneliner show assoc_mgr users="$who" flags=assoc,qos 2>/dev/null </dev/null |
    grep -E '^(ClusterName|QOS)=' | marked limit
}

# All lives of the ids, and who the numbers of users are. Times in seconds since 1970.
account() {
  printf '%s self %s %s\n' "$n" "$(id -u)" "$who"
  rows=$(SLURM_TIME_FORMAT=%s timeout 20 sacct --duplicates --allocations --noheader --parsable2 \
    --starttime=now-366days --jobs="${ids#,}" --format=JobIDRaw,State,ExitCode,Submit,NodeList,JobName \
    2>/dev/null </dev/null) || return 0
  printf '%s\n' "$rows" | marked sacct
  for user in $(printf '%s\n' "$rows" | sed -n 's/^[^|]*|CANCELLED by \([0-9][0-9]*\)|.*/\1/p' | sort -u); do
    printf '%s user %s %s\n' "$n" "$user" "$(id -un "$user" 2>/dev/null)"
  done
}
