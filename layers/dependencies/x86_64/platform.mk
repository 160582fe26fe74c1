# Lambda's Python 3.13 has glibc 2.34 (Amazon Linux 2023), which runs either.
PLATFORMS := manylinux2014_x86_64 manylinux_2_28_x86_64
