// Channels become blocks of pixels (TO_SPACE), or blocks of pixels channels; BLOCK_FIRST: the block's index is the outer
// one among the channels.
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  const int depth = TO_SPACE ? in0_dim(s, 1) : out0_dim(s, 1), channels = depth / (BLOCK * BLOCK);
  if (TO_SPACE) {
    const int block = o[2] % BLOCK * BLOCK + o[3] % BLOCK;
    const int at[4] = {o[0], BLOCK_FIRST ? block * channels + o[1] : o[1] * BLOCK * BLOCK + block, o[2] / BLOCK, o[3] / BLOCK};
    out0(p, s, o, in0(p, s, at));
  } else {
    const int block = BLOCK_FIRST ? o[1] / channels : o[1] % (BLOCK * BLOCK), c = BLOCK_FIRST ? o[1] % channels : o[1] / (BLOCK * BLOCK);
    const int at[4] = {o[0], c, o[2] * BLOCK + block / BLOCK, o[3] * BLOCK + block % BLOCK};
    out0(p, s, o, in0(p, s, at));
  }
}
