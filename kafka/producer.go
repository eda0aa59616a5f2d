package kafka

const defaultCompression = "lz4"
