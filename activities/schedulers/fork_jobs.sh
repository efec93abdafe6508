# Every process that carries a key, and the folders they are at work for. A process of another batch system has a key as
# well, if that system's job is one of ours: it is that system's to tell.
# Jobs of an earlier release do not carry their folder; their wrapper stays in it. Set before: n.
carriers() {
  grep -aHzoE '^(HOWDAH_KEY=hd-[A-Za-z0-9._-]+|HOWDAH_FOLDER=/[^[:cntrl:]]*|(SLURM_JOB_ID|PBS_JOBID|LSB_JOBID)=.*)$' \
    /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n' | awk '
    !/^\/proc\/[0-9]+\/environ:/ { next }
    {
      split($0, path, "/")
      pid = path[3]
      value = substr($0, index($0, "=") + 1)
      name = substr($0, index($0, ":") + 1)
      sub(/=.*/, "", name)
      if (name == "HOWDAH_KEY") { if (!(pid in key)) key[pid] = value }
      else if (name == "HOWDAH_FOLDER") { if (!(pid in folder)) folder[pid] = value }
      else others[pid] = 1
    }
    END { for (pid in key) if (pid in folder || !(pid in others)) print pid, key[pid], folder[pid] }'
}

ages() {
  while IFS=' ' read -r pid key folder; do
    [ -n "$folder" ] || folder=$(readlink "/proc/$pid/cwd")
    stat_of "$pid" && printf '%s %s %s %s\n' "$pid" "$born" "$key" "$folder"
  done 2>/dev/null
}

progress() {
  while IFS=' ' read -r id key folder; do
    printf '%s job %s %s %s\n' "$n" "$id" "$key" "$folder"
    for word in start end; do [ -e "$folder/.howdah/$word" ] && printf '%s %s %s\n' "$n" "$word" "$id"; done
  done
}

read -r up _ </proc/uptime
printf '%s machine %s %s\n' "$n" "$(getconf CLK_TCK)" "${up%.*}"
found=$(carriers | ages)
printf '%s\n' "$found" | sed -n "s/^[0-9]/$n process &/p"
jobs=$(printf '%s\n' "$found" | sed -n 's/^[0-9][0-9]* [0-9][0-9]* \(hd-\)/\1/p' | sort -u | awk '{ print NR, $0 }')
printf '%s\n' "$jobs" | sed '/^$/d' | progress
printf '%s\n' "$jobs" | sed '/^$/d' | marks
printf '%s done\n' "$n"
