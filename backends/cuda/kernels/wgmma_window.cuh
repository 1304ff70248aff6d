// The left operand of wgmma.cuh where it is a convolution's input. A tile's rows are the output pixels of a box, BOX_H
// lines of BOX_W; a step is one column of the window and a block of 64 channels, for which the copy engine brings the
// pixels that it looks at, zeros outside the image. Where the window moves by one line, all its TAPS rows are one step: the
// box is TAPS - 1 lines higher, and each row of the window begins a line, which is whole groups of eight rows, further on.
//
// Defined before: BOX_W (a multiple of 8), BOX_H, TAPS (the window's height, or 1); Sizes with images, out_height,
// out_width, boxes_down, boxes_across, channel_blocks, kernel_h, kernel_w, stride_h, stride_w, pad_h and pad_w.

constexpr int LINE = BOX_W, LINES = BOX_H;
constexpr int TAP_ROWS = BOX_W, LEFT_ROWS = TILE_M + (TAPS - 1) * BOX_W, LEFT_BYTES = (BOX_H + TAPS - 1) * BOX_W * 128;

struct LeftTile {
  int x, y, image;  // of the first output pixel

  BURNISH_DEVICE LeftTile(const Sizes& s, int tile)
      : x(tile % s.boxes_across * BOX_W), y(tile / s.boxes_across % s.boxes_down * BOX_H), image(tile / (s.boxes_across * s.boxes_down)) {}
  static BURNISH_DEVICE int positions(const Sizes& s) { return s.kernel_h / TAPS * s.kernel_w; }
  static BURNISH_DEVICE int steps(const Sizes& s) { return s.channel_blocks * positions(s); }

  BURNISH_DEVICE void load(const Sizes& s, const void* map, int step, uint32_t to, uint32_t barrier, int member, uint16_t blocks) const {
    const int channel = step / positions(s) * 64, position = step % positions(s);
    const int h = y * s.stride_h - s.pad_h + position / s.kernel_w, w = x * s.stride_w - s.pad_w + position % s.kernel_w;
    if constexpr (SHARE_N == 1) copy_box(to, map, channel, w, h, image, barrier);
    else if (step % SHARE_N == member) copy_box_to_all(to, map, channel, w, h, image, barrier, blocks);  // they take turns
  }

  BURNISH_DEVICE void fetch(const Sizes& s, const void* map, int step, int member) const {
    const int position = step % positions(s);
    if (position % s.kernel_w > 0 || step / s.kernel_w % SHARE_N != member) return;  // a box next to the one before
    fetch_box(map, step / positions(s) * 64, x * s.stride_w - s.pad_w, y * s.stride_h - s.pad_h + position / s.kernel_w, image);
  }

  BURNISH_DEVICE int row(const Sizes& s, int r) const {
    const int h = y + r / BOX_W, w = x + r % BOX_W;
    const bool inside = r < BOX_H * BOX_W && h < s.out_height && w < s.out_width && image < s.images;
    return inside ? (image * s.out_height + h) * s.out_width + w : -1;
  }
};

