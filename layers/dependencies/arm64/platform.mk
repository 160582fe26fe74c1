PLATFORM := manylinux2014_aarch64
