# Set before: n, fresh. The rows have a bar in them, the keys on the board have none.
listing "$fresh"
[ "$heard" -eq 0 ] || printf '%s\n' "$said"
printf '%s asked %s %s\n' "$n" "$heard" "$age"
everything() {
  [ -z "$rows" ] || printf '%s\n' "$rows" | cut -d '|' -f 2,3,4,6
  board
  echo end
}
if command -v gzip >/dev/null; then
  printf '%s packed\n' "$n"
  everything | gzip -1c
else
  printf '%s plain\n' "$n"
  everything
fi
printf '\n%s done\n' "$n"
sweep_corner
