// Problems that are a convolution or a matrix product with a pointwise body behind it, as all contraction
// kernels see them.
#pragma once

#include "cuda/body_text.h"
#include "cuda/generated.h"

namespace burnish::cuda {

/// left [total_rows, inner] times right [inner, columns], `batch` times (or, for a grouped convolution, once
/// a group). A convolution's rows are output pixels, its inner index is (kernel row, kernel column, channel).
struct Contraction {
  bool conv = false;
  size_t node = 0;                       ///< of the problem's nodes
  int left = -1, right = -1, bias = -1;  ///< inputs of the problem
  int64_t left_offset = 0;               ///< elements of that input before the left operand's first
  DType dtype = DType::f16;
  ir::Dim batch = 1, rows = 1, total_rows = 1, columns = 1, inner = 1;  ///< rows: of one image or matrix
  int64_t groups = 1;
  // of a convolution: sizes of one group, and how its window moves
  ir::Dim images = 1, height = 1, width = 1, channels = 1, out_height = 1, out_width = 1;
  int64_t kernel[2] = {1, 1}, strides[2] = {1, 1}, dilations[2] = {1, 1}, pads[2] = {0, 0};
  int64_t pads_end[2] = {0, 0};
  // strides in elements; of a product, left_h is a row's and left_c an inner step's
  ir::Dim left_image = 0, left_h = 0, left_w = 0, left_c = 1, left_batch = 0, right_n = 0, right_k = 1,
          right_batch = 0;
  ir::Dim tap_h = 0, tap_w = 0;  ///< what the kernel's next row and column move on
  /// Inner index k is element k % weight_channels * weight_positions + k / weight_channels of a column's
  /// weights.
  int64_t weight_channels = 1, weight_positions = 1;
  ir::ValueId output;   ///< what the contraction gives, before the body
  bool pooled = false;  ///< take_pool() found a pool at the body's end

  /// Of a transposed convolution (transposed.cpp), as a convolution whose columns are, for each pixel of a
  /// stride by a stride of the output, its channels.
  struct Phases {
    int64_t strides[2] = {1, 1};
    int64_t taps[2] = {1,
                       1};  ///< pixels of the input that an output pixel takes, however `kernel` reads them
    int64_t before[2] = {0, 0};  ///< pixels of the first such square that lie before the output
    ir::Dim channels = 1, height = 1, width = 1;  ///< of the output
    bool whole = true;                            ///< no pixel lies outside of the output
  };
  std::optional<Phases> phases;

  /// Fills `into`, or says why the problem is none. Convolutions of one or two spatial dimensions. With
  /// `prologue`, pointwise ops may make a convolution's left operand of input `left`; node `node` tells of
  /// such.
  static Support analyse(const device::Problem& problem, Contraction& into, bool prologue = false);
  static Contraction of(const device::Problem& problem, bool prologue = false);
  /// A convolution without padding as one that reads longer runs of memory (patch embeddings): of
  /// channels-last pixels, those of a window's row are one pixel of more channels; of planes, a row of the
  /// window is the channels, and planes and rows are the kernel. The same where that cannot be.
  Contraction by_runs() const;
  /// From one row of the left operand to the next, where they lie whole at one distance from each other: a
  /// convolution is a plain product then.
  std::optional<ir::Dim> row_step() const;
  /// A body that ends with a max pool of windows of two by two pixels, side by side, which cover an image of
  /// even sizes: from here on the epilogue takes a window's four pixels and writes one.
  void take_pool(const device::Problem& problem);
  bool right_is_weight(const device::Problem& problem) const { return problem.is_weight(right); }
};

/// The body behind a contraction as the text of `epilogue(p, s, row, n, sums)`, which finishes VECTOR
/// elements from column n of a row; rows count through all images or matrices. With a pool, `sums` are those
/// of `row`, of the pixels to its right and below it, and of the one between these: all four make one output.
class Epilogue {
 public:
  static Support supports(const device::Problem& problem, const Contraction& contraction);
  /// `most_vector`: no wider vectors than these.
  Epilogue(const device::Problem& problem, const Contraction& contraction, int most_vector = 16);

  int vector() const { return vector_; }
  void add_sizes(Sizes& sizes) const;
  std::string text() const;
  /// The same in two, so that loads of many elements are under way together: `Loaded load_operands(p, s, row,
  /// n)`, and epilogue() with a Loaded behind its sums; of windows of pixels, whose first it is handed, there
  /// is this only.
  std::string text_in_parts() const;
  /// `fetch_operands(p, s, n)`, which asks L2 for what the epilogue will read of weights for column n of
  /// s.columns and its neighbours in 64 bytes.
  std::string fetch_text() const;

 private:
  struct Operand {
    std::string pointer;
    DType dtype;
    ir::Dim batch, row, column;  // strides
    ir::Dim line = 0;            // of phases, whose `row` is a pixel's
  };
  static std::optional<Operand> operand(const ir::TensorType& type, const std::vector<ir::Dim>& shape,
                                        const Contraction& contraction);
  std::string place(size_t i) const;
  /// The image and the pixel that a row is, where place() wants them; `leave` is done for one that is not
  /// there.
  std::string row_text(const char* leave) const;
  std::string load_text(size_t i) const;
  /// Of what `body` knows the operands in.
  std::string results_text(BodyText& body) const;
  std::string stores_text() const;
  /// The inside of epilogue(), once the operands not among `loads` are there.
  std::string end_text(const std::string& loads, const std::string& results) const;

  const device::Problem& problem_;
  const Contraction& contraction_;
  std::vector<Operand> operands_;    // inputs, then outputs
  std::vector<ir::ValueId> values_;  // of the inputs
  bool by_rows_ = true;              // no operand needs the image apart from the pixel
  int vector_ = 1;
};

/// The pointwise ops in front of a convolution as the text of `prologue(s, staged, c, x)`, which does them to
/// 16 bytes of elements from channel c of a pixel. What they read beside the pixel is one element a channel,
/// which `stage_prologue(p, s, staged)` brings to shared memory: before the kernels before this one have
/// ended, if STAGED_EARLY says that these have no part in it.
class Prologue {
 public:
  static Support supports(const device::Problem& problem, const Contraction& contraction);
  Prologue(const device::Problem& problem, const Contraction& contraction);

  bool empty() const { return nodes_ == 0; }
  size_t shared_bytes() const;
  void add_sizes(Sizes& sizes) const;
  std::string text() const;

 private:
  const device::Problem& problem_;
  const Contraction& contraction_;
  size_t nodes_;               // what stands before a product are moves
  std::vector<int> operands_;  // inputs of the problem
};

/// Fills `into` with a transposed convolution, or says why it has no kernel.
Support analyse_transposed(const device::Problem& problem, const ir::Node& node, Contraction& into);
/// Its weights [C, M, kernel...] as those of the convolution with phases: [phase and M, C, kernel...].
Tensor weights_by_phases(const Contraction& contraction, const Tensor& weights);

/// The first input of output 0's type that the body reads at the output's own place only, or -1.
int reusable_input(const device::Problem& problem, const Contraction& contraction);

/// The right operand, a weight, in tiles of `tile_n` columns and 128 bytes of the inner dimension, each in
/// the very order and permutation that shared memory wants: [group][column tile][inner tile][column][chunk],
/// 16-byte chunk c of column n at place c ^ (n & 7); zeros beyond the ends. In the order in
/// which a thread of a warpgroup's product gets so many `neighbours` (2, 4 or 8), column 4 n i + n q + 2 j +
/// e where 4 n i + 8 j + 2 q + e would be.
Tensor pack_tiles(const Contraction& contraction, int tile_n, const Tensor& weights, int neighbours = 2);
/// The same for tiles of any width that is a multiple of 16: [inner tile][column][chunk], with columns in
/// fours of neighbours, and `most_tile` columns of zeros behind the last inner tile, which a tile at the end
/// may reach into.
Tensor pack_for_any_tile(const Contraction& contraction, int most_tile, const Tensor& weights);
/// The columns of an inner tile there.
inline int64_t columns_for_any_tile(int64_t columns) { return (columns + 15) / 16 * 16; }
/// The same of a convolution's weights, with inner tiles that are one position in the window and a block of
/// channels each: [block of channels][row / taps][column][row % taps] of the window.
Tensor pack_window_tiles(const Contraction& contraction, int tile_n, int taps, const Tensor& weights,
                         int neighbours);
/// The same, of 16-bit elements, as kernels/stem.cuh takes them: neighbours of a window's row in pairs
/// (channel, row, columns 2 i and 2 i + 1), eight pairs a step; [column tile][step][16 columns][lane][two
/// eights of them][two pairs], where lane l has column l / 4 of an eight, and of the step's pairs l % 4 and l
/// % 4 + 4.
Tensor pack_pair_tiles(const Contraction& contraction, int tile_n, const Tensor& weights);

}  // namespace burnish::cuda
