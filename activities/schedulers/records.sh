# Of a job that ended: what the scheduler wrote into its log of why it was told to go, or which part of it was killed.
told() {
  [ -f "$h/log" ] && [ -s "$h/log" ] || return 0
  count=0
  while [ "$count" -lt 200 ] && IFS= read -r line; do
    case $line in
      *"CANCELLED AT"* | *oom_kill* | *oom-kill* | "howdah begins again"*) printf '%s told %s %s\n' "$n" "$key" "$line" ;;
    esac
    count=$((count + 1))
  done <"$h/log"
}

# Reads lines "KEY FOLDER" and prints what the wrappers left there. Builtins only: thousands of folders in one look.
# Only regular files are opened: a named pipe put in a record's place would hang the look for all.
# The scratch is three levels above a folder. Without it nobody can tell what has become of the folders.
look() {
  while IFS=' ' read -r key folder; do
    h=$folder/.howdah
    [ -f "$h/key" ] || {
      printf '%s gone %s\n' "$n" "$key"
      scratch=${folder%/*/*/*}
      [ "$scratch" = "$folder" ] || [ -d "$scratch/" ] || printf '%s unmounted %s\n' "$n" "$key"
      continue
    }
    [ -f "$h/start" ] && IFS= read -r line <"$h/start" && printf '%s start %s %s\n' "$n" "$key" "$line"
    [ -f "$h/end" ] && IFS= read -r line <"$h/end" && printf '%s end %s %s\n' "$n" "$key" "$line" && told
  done
}

# The same more closely, with processes: fresh listings (a network file system may be slow to show a new file),
# claims, ids, and the tails of the logs. Every line is marked, so that no text in a log passes for an answer.
look_closely() {
  while IFS=' ' read -r key folder; do
    h=$folder/.howdah
    ls -a "$h" >/dev/null 2>&1
    claim=$(readlink "$h/claim") && printf '%s claim %s %s\n' "$n" "$key" "$claim"
    [ -f "$h/job" ] && IFS= read -r line <"$h/job" && printf '%s job %s %s\n' "$n" "$key" "$line"
    for file in log stderr; do
      [ -f "$h/$file" ] && tail -c 8192 "$h/$file" | sed "s/^/$n $file $key /" && echo
    done
  done
}
