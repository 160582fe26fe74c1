# Lambda's Python 3.13 has glibc 2.34 (Amazon Linux 2023), which runs either.
PLATFORMS := manylinux2014_aarch64 manylinux_2_28_aarch64
