# Lines "hd1 TOPIC ..." for `howdah site check`.
tell() { sed "s/^/hd1 $1 /"; }
[ -z "${SLURM_CLUSTERS-}" ] || printf '%s\n' "$SLURM_CLUSTERS" | tell clusters
unset SLURM_CLUSTERS
command -v sbatch >/dev/null || { echo "hd1 missing sbatch"; exit 0; }
timeout 20 sbatch --version </dev/null 2>&1 | tell version
timeout 30 scontrol ping </dev/null 2>&1 | tell ping
timeout 30 sinfo --noheader --format='%P|%a|%l|%D|%T' </dev/null 2>/dev/null | tell partition
timeout 30 scontrol show config </dev/null 2>/dev/null |
  sed -n -E 's/^(MinJobAge|KillWait|AccountingStorageType|MaxJobCount|MessageTimeout) *= *(.*)/hd1 config \1 \2/p'
timeout 20 sacct --allocations --noheader --parsable2 --jobs=1 --format=JobIDRaw </dev/null >/dev/null 2>&1
echo "hd1 sacct $?"
