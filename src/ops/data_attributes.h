// Attributes of the ops that move, select and resample data. Where ONNX has the attribute, it has ONNX's
// name.
#pragma once

#include <burnish/dtype.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace burnish::ops {

struct ReshapeAttributes {
  /// Whether a 0 in the shape is a dimension of none; otherwise it copies the input's dimension.
  bool allow_zero = false;
  void visit(auto&& v) { v("allowzero", allow_zero); }
};

/// Of squeeze and unsqueeze, where input 1 (if given) overrides it.
struct AxesAttributes {
  std::vector<int64_t> axes;
  void visit(auto&& v) { v("axes", axes); }
};

struct FlattenAttributes {
  int64_t axis = 1;
  void visit(auto&& v) { v("axis", axis); }
};

struct BitcastAttributes {
  DType to = DType::f32;
  void visit(auto&& v) { v("to", to); }
};

struct ShapeAttributes {
  int64_t start = 0, end = std::numeric_limits<int64_t>::max();
  void visit(auto&& v) {
    v("start", start);
    v("end", end);
  }
};

/// `symbols[k]` stands for dimension sources[2k + 1] of input sources[2k]; each of `dims` is an expression
/// over them.
struct DimsAttributes {
  std::vector<std::string> dims, symbols;
  std::vector<int64_t> sources;
  void visit(auto&& v) {
    v("dims", dims);
    v("symbols", symbols);
    v("sources", sources);
  }
};

struct EyeLikeAttributes {
  DType dtype = DType::f32;
  int64_t k = 0;
  void visit(auto&& v) {
    v("dtype", dtype);
    v("k", k);
  }
};

struct TransposeAttributes {
  std::vector<int64_t> perm;  ///< empty: the dimensions in reverse
  void visit(auto&& v) { v("perm", perm); }
};

struct AxisAttributes {
  int64_t axis = 0;
  void visit(auto&& v) { v("axis", axis); }
};

struct SplitAttributes {
  int64_t axis = 0;
  int64_t num_outputs =
      0;  ///< used without sizes: equal parts, the last one smaller; 0: as many as the node has
  void visit(auto&& v) {
    v("axis", axis);
    v("num_outputs", num_outputs);
  }
};

struct PadAttributes {
  std::string mode = "constant";  ///< constant, reflect, edge or wrap
  void visit(auto&& v) { v("mode", mode); }
};

/// Of depth_to_space and space_to_depth.
struct BlockAttributes {
  int64_t blocksize = 1;
  std::string mode = "DCR";  ///< the order within the depth: DCR, block then channel; CRD, channel then block
  void visit(auto&& v) {
    v("blocksize", blocksize);
    v("mode", mode);
  }
};

struct ReverseSequenceAttributes {
  int64_t batch_axis = 1, time_axis = 0;
  void visit(auto&& v) {
    v("batch_axis", batch_axis);
    v("time_axis", time_axis);
  }
};

struct TriluAttributes {
  bool upper = true;
  void visit(auto&& v) { v("upper", upper); }
};

struct GatherNdAttributes {
  int64_t batch_dims = 0;
  void visit(auto&& v) { v("batch_dims", batch_dims); }
};

struct ScatterAttributes {
  int64_t axis = 0;                ///< of scatter_elements
  std::string reduction = "none";  ///< how an update joins what is there: none (replaces), add, mul, max, min
  void visit(auto&& v) {
    v("axis", axis);
    v("reduction", reduction);
  }
};

struct TensorScatterAttributes {
  int64_t axis = -2;
  std::string mode = "linear";  ///< linear, or circular: positions wrap round
  void visit(auto&& v) {
    v("axis", axis);
    v("mode", mode);
  }
};

struct OneHotAttributes {
  int64_t axis = -1;
  void visit(auto&& v) { v("axis", axis); }
};

struct TopKAttributes {
  int64_t axis = -1;
  bool largest = true, sorted = true;
  void visit(auto&& v) {
    v("axis", axis);
    v("largest", largest);
    v("sorted", sorted);
  }
};

struct UniqueAttributes {
  int64_t axis = 0;
  bool sorted = true;
  void visit(auto&& v) {
    v("axis", axis);
    v("sorted", sorted);
  }
};

struct NonMaxSuppressionAttributes {
  bool center_point_box =
      false;  ///< boxes are x, y of the centre, width, height; else two corners y, x, y, x
  void visit(auto&& v) { v("center_point_box", center_point_box); }
};

/// Of cumsum and cumprod.
struct CumulativeAttributes {
  bool exclusive = false, reverse = false;
  void visit(auto&& v) {
    v("exclusive", exclusive);
    v("reverse", reverse);
  }
};

}  // namespace burnish::ops
