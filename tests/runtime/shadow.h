// Whether a plan's buffers hold what each step reads: found out without the planner's own notion of
// lifetimes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "plan/segment.h"

namespace burnish::testing {

/// Follows a plan step by step through a shadow of its memory that knows, for every byte, the node that wrote
/// it last. Each step must read bytes that were written by the nodes that the graph says, and its workspace
/// must touch neither what it reads nor what it writes. Two live buffers that overlap show as a byte with the
/// wrong writer.
class Shadow {
 public:
  Shadow(const plan::Program& program, const plan::Segment& segment, const ir::Bindings& symbols);
  /// Empty, or what is wrong first.
  std::string fault();

 private:
  using Writers =
      std::vector<int32_t>;  // per byte: the node's index; -1 - value for inputs and constants; or garbage

  /// How a tensor's own bytes lie: pieces of `piece` bytes, from one to the next `step` bytes.
  struct Pieces {
    size_t piece = 1, step = 1;
    size_t place(size_t byte) const { return byte / piece * step + byte % piece; }
  };

  Writers expected(ir::ValueId value) const;
  int64_t bytes(ir::ValueId value) const;   // of its own
  int64_t extent(ir::ValueId value) const;  // from the first of them to the last
  Pieces pieces(ir::ValueId value) const;
  Writers& memory(const plan::Place& place);
  bool holds(const plan::Place& place, const Writers& wanted, const Pieces& pieces);
  void write(const plan::Place& place, const Writers& writers, const Pieces& pieces);
  std::string run(const plan::Step& step);

  const plan::Program& program_;
  const plan::Segment& segment_;
  const ir::Bindings& symbols_;
  std::vector<bool> has_step_;  // by node index
  std::map<int32_t, Writers> external_;
  Writers arena_;
};

}  // namespace burnish::testing
