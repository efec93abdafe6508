# Lines "hd1 TOPIC ..." for `howdah site check`.
for program in flock setsid grep sed readlink timeout; do
  command -v "$program" >/dev/null || echo "hd1 missing $program"
done
[ -r /proc/self/environ ] || echo "hd1 missing /proc"
echo "hd1 system $(uname -sr)"
echo "hd1 processors $(getconf _NPROCESSORS_ONLN)"
sed -n -E 's/^MemTotal: *([0-9]+) kB/hd1 memory \1/p' /proc/meminfo
