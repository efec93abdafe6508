"""A shell function for the SHA-256 of a large file."""

SUM_OF = r"""
sum_of() {
  sum=$(openssl dgst -sha256 -r <"$1" 2>/dev/null) && sum=${sum%% *} && [ ${#sum} -eq 64 ] && return
  sum=$(sha256sum <"$1") && sum=${sum%% *}
}
"""
"""`sum_of FILE` sets `sum`. OpenSSL uses what the processor has for it and takes a fifth of the time."""

BLOCK_SUMS = "openssl dgst -sha256 -r 2>/dev/null || sha256sum"
"""A filter for `split`. An openssl that is missing has read nothing yet."""
