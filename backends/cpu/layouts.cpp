#include "backends/cpu/layouts.h"

#include "backends/cpu/onednn.h"
#include "backends/cpu/physical_view.h"

namespace burnish::cpu {
namespace {

/// Whether `type` may lie in blocks of `block` channels.
bool has_blocks(const ir::TensorType& type, int64_t block) {
  return type.rank() >= 3 && type.shape[1].is_constant() && type.shape[1].constant() % block == 0;
}

}  // namespace

Support follows_output(const device::Problem& problem) {
  const ir::TensorType& space = problem.output(0);
  const int64_t block = block_size(space.layout);
  if (block > 1 && !has_blocks(space, block))
    return Support::no("blocks of {} do not divide the channels", block);
  for (int i = 1; i < problem.output_count(); ++i)
    if (problem.output(i).shape != space.shape || problem.output(i).layout != space.layout)
      return Support::no("outputs of several shapes or layouts");
  for (int i = 0; i < problem.input_count(); ++i) {
    const ir::TensorType& type = problem.input(i);
    if (type.layout == ir::Layout::plain) continue;
    if (type.rank() != space.rank()) return Support::no("input {} is of another rank and not plain", i);
    const int64_t own = block_size(type.layout);
    if (own > 1 && (own != block || !has_blocks(type, own)))
      return Support::no("input {} lies in other blocks than the output", i);
  }
  return Support::yes();
}

std::vector<std::vector<ir::Layout>> shared_layouts(const device::Problem& problem) {
  const ir::TensorType& space = problem.output(0);
  std::vector<ir::Layout> choices;
  if (space.rank() >= 3) choices.push_back(ir::Layout::nhwc);
  // Blocks are worth having where a convolution beside takes them.
  const ir::Layout blocks = onednn::native_blocks();
  if (has_blocks(space, block_size(blocks))) choices.push_back(blocks);
  choices.push_back(ir::Layout::plain);
  std::vector<std::vector<ir::Layout>> sets;
  for (ir::Layout layout : choices) {
    std::vector<ir::Layout> set;
    for (int i = 0; i < problem.input_count(); ++i) {
      const ir::TensorType& type = problem.input(i);
      const bool same = type.rank() == space.rank() && type.rank() >= 3 && type.shape[1] == space.shape[1] &&
                        !problem.is_weight(i);
      set.push_back(same ? layout : ir::Layout::plain);
    }
    set.insert(set.end(), static_cast<size_t>(problem.output_count()), layout);
    sets.push_back(std::move(set));
  }
  return sets;
}

Support only_plain(const device::Problem& problem) {
  for (int i = 0; i < problem.input_count(); ++i)
    if (problem.input(i).layout != ir::Layout::plain) return Support::no("plain layouts only");
  for (int i = 0; i < problem.output_count(); ++i)
    if (problem.output(i).layout != ir::Layout::plain) return Support::no("plain layouts only");
  return Support::yes();
}

}  // namespace burnish::cpu
