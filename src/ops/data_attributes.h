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

}  // namespace burnish::ops
