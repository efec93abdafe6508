# Processes first, records after: then a job that is in neither has truly ended without a word.
printf '%s machine %s %s\n' "$n" "$(cat /proc/sys/kernel/random/boot_id)" "$(hostname)"
grep -aHzoE '^HOWDAH_KEY=hd-[A-Za-z0-9._-]+$' /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n' |
  sed -n "s,^/proc/\([0-9]*\)/environ:HOWDAH_KEY=,$n process \1 ,p"
