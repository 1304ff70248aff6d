// A body with one op that is not pointwise: the anchor, whose kernel runs the rest as its epilogue.
#pragma once

#include <optional>

#include "backends/cpu/tile_program.h"

namespace burnish::cpu {

class AnchoredBody {
 public:
  /// nullopt unless exactly one node is not pointwise. The problem must outlive this.
  static std::optional<AnchoredBody> of(const device::Problem& problem);

  const ir::Node& anchor() const { return problem_->body().node(anchor_); }
  bool has_epilogue() const { return !epilogue_.empty(); }
  /// Whether the epilogue can be a TileProgram that turns the anchor's f32 output 0, in the memory of the
  /// problem's only output, into that output.
  Support supports_epilogue() const;
  /// That program: one anchor, one result.
  TileProgram epilogue() const;

 private:
  const device::Problem* problem_ = nullptr;
  ir::NodeId anchor_;
  std::vector<ir::NodeId> epilogue_;
};

}  // namespace burnish::cpu
