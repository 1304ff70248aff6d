// Attributes of quantisation.
#pragma once

#include <burnish/dtype.h>

#include <cstdint>

namespace burnish::ops {

struct QuantizeAttributes {
  DType to = DType::u8;
  DType precision = DType::f32;  ///< in which x / scale is rounded
  int64_t axis = 1;              ///< of scales that are a vector, or blocked
  int64_t block_size = 0;  ///< how many elements along axis share a scale; 0: one scale in all, or a vector
  bool saturate = true;    ///< into eight-bit floats: clamp instead of overflowing
  void visit(auto&& v) {
    v("to", to);
    v("precision", precision);
    v("axis", axis);
    v("block_size", block_size);
    v("saturate", saturate);
  }
};

struct DequantizeAttributes {
  DType to = DType::f32;
  int64_t axis = 1, block_size = 0;
  void visit(auto&& v) {
    v("to", to);
    v("axis", axis);
    v("block_size", block_size);
  }
};

}  // namespace burnish::ops
