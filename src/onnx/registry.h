// Which ONNX ops Burnish knows, by name, domain and opset.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ops/op_def.h"

namespace burnish::onnx {

class Lower;

/// How an ONNX op becomes IR: by a lowering, or one to one.
struct Import {
  void (*lower)(Lower&) = nullptr;
  const ops::OpDef* op = nullptr;
  int since = 0;
  explicit operator bool() const { return lower || op; }
};

/// The newest import of the op that is not newer than `opset`.
Import find_import(std::string_view op_type, std::string_view domain, int64_t opset);

/// The newest opset of ONNX's own domain that Burnish reads.
inline constexpr int64_t newest_opset = 28;

/// Whether the op's lowering reads or makes sequences.
bool takes_sequences(std::string_view op_type);

/// Why an op is refused on purpose ("sequence", "optional", "string", "map", "random", "training", "image"),
/// or empty.
std::string_view refused_kind(std::string_view op_type, std::string_view domain);

}  // namespace burnish::onnx
