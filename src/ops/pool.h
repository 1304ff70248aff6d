// Attributes of pooling.
#pragma once

#include "ops/window.h"

namespace burnish::ops {

struct PoolAttributes : WindowAttributes {
  std::vector<int64_t> kernel_shape;
  bool ceil_mode = false;  ///< the last window may hang over the end
  void visit_pool(auto&& v) {
    v("kernel_shape", kernel_shape);
    visit_window(v);
    v("ceil_mode", ceil_mode);
  }
};

struct MaxPoolAttributes : PoolAttributes {
  int64_t storage_order = 0;  ///< of the indices: 0 row-major, 1 column-major over the spatial dimensions
  void visit(auto&& v) {
    visit_pool(v);
    v("storage_order", storage_order);
  }
};

struct AveragePoolAttributes : PoolAttributes {
  bool count_include_pad = false;  ///< whether padding counts in the divisor
  void visit(auto&& v) {
    visit_pool(v);
    v("count_include_pad", count_include_pad);
  }
};

struct LpPoolAttributes : PoolAttributes {
  int64_t p = 2;
  void visit(auto&& v) {
    visit_pool(v);
    v("p", p);
  }
};

struct MaxUnpoolAttributes : WindowAttributes {
  std::vector<int64_t> kernel_shape;
  void visit(auto&& v) {
    v("kernel_shape", kernel_shape);
    visit_window(v);
  }
};

}  // namespace burnish::ops
