# Reads lines "KEY FOLDER". For a few jobs only: a query each, and the accounting, which may be slow.
marked() { sed "s/^/$n $1 /"; }
describe() {
  ids=
  while IFS=' ' read -r key folder; do
    id=
    [ -f "$folder/.howdah/job" ] && IFS= read -r id <"$folder/.howdah/job"
    id=$(printf '%s' "${id:-$(readlink "$folder/.howdah/claim")}" | tr -cd 0-9)
    [ -n "$id" ] || continue
    ids=$ids,$id
    timeout 20 scontrol --oneliner show job "$id" 2>/dev/null </dev/null | marked "scontrol $key"
    timeout 20 squeue --noheader --start --jobs="$id" --format=%S 2>/dev/null </dev/null | marked "expected $key"
  done
  timeout 20 scontrol --oneliner show partition 2>/dev/null </dev/null | marked partition
  [ -n "$ids" ] || return 0
  timeout 20 sacct --allocations --noheader --parsable2 --starttime=now-366days --jobs="${ids#,}" \
    --format=JobIDRaw,State,ExitCode,JobName 2>/dev/null </dev/null | marked sacct
}
