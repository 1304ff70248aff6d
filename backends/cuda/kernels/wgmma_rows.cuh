// The left operand of wgmma.cuh where it is a matrix whose rows lie one behind the other.
//
// Every LeftTile offers: LINE and LINES, the pixels that the tile's rows are, where they are pooled; TAPS, products of 64 inner elements in one step; TAP_ROWS, by how many rows of shared memory
// the operand of one of them lies behind that of the one before; LEFT_ROWS, the rows that a stage keeps for it; LEFT_BYTES,
// what arrives there in one step; steps(); load(), which brings a step's, for all of `blocks` where SHARE_N of them share
// it (this one is the `member`th); fetch(), which asks L2 for this member's part of that; and row(), the output's row that row `r` of the tile is, or -1.

constexpr int LINE = 8, LINES = TILE_M / LINE;
constexpr int TAPS = 1, TAP_ROWS = 0, LEFT_ROWS = TILE_M, LEFT_BYTES = TILE_M * 128;

struct LeftTile {
  int first;

  BURNISH_DEVICE LeftTile(const Sizes&, int tile) : first(tile * TILE_M) {}
  static BURNISH_DEVICE int steps(const Sizes& s) { return (s.inner + 63) / 64; }

  BURNISH_DEVICE void load(const Sizes&, const void* map, int step, uint32_t to, uint32_t barrier, int member, uint16_t blocks) const {
    constexpr int SLICE = TILE_M / SHARE_N;  // each loads one of the tile
    if constexpr (SHARE_N > 1) copy_tensor_to_all(to + member * (SLICE * 128), map, step * 64, first + member * SLICE, barrier, blocks);
    else copy_tensor(to, map, step * 64, first, barrier);
  }

  BURNISH_DEVICE void fetch(const Sizes&, const void* map, int step, int member) const { fetch_tensor(map, step * 64, first + member * (TILE_M / SHARE_N)); }

  BURNISH_DEVICE int row(const Sizes& s, int r) const { return first + r < s.total_rows ? first + r : -1; }
};

