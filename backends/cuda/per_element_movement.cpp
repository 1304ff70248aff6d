// Ops that move elements, where cuda.move's strides cannot say it: borders, triangles, blocks, and operands
// that are known only when the kernel is bound.
#include <algorithm>

#include "cuda/per_element.h"
#include "ops/data_attributes.h"
#include "ops/infer.h"
#include "ops/slice.h"
#include "ops/table.h"

namespace burnish::cuda {
namespace {

using device::Problem;
using ir::Bindings;
using Numbers = std::vector<int64_t>;

size_t rank_of(const Problem& problem) { return operand_type(problem, 0).shape.size(); }

// --- pad ---

/// Elements before each dimension; nullopt where the operands are not known.
std::optional<Numbers> pads_before(const Problem& problem) {
  Numbers before(rank_of(problem), 0);
  const auto pads = known_numbers(problem, 1), axes = known_numbers(problem, 3);
  if (!pads || (has_operand(problem, 3) && !axes)) return std::nullopt;
  for (size_t i = 0; i < pads->size() / 2; ++i) {
    const size_t d =
        axes ? static_cast<size_t>(ops::normalize_axis(axes->at(i), static_cast<int64_t>(before.size()))) : i;
    before.at(d) = (*pads)[i];
  }
  return before;
}

std::string pad_constants(const Problem& problem) {
  const std::string& mode = attributes_of<ops::PadAttributes>(problem).mode;
  const int number = mode == "edge" ? 1 : mode == "wrap" ? 2 : mode == "reflect" ? 3 : 0;
  return constants_text({{"MODE", number}, {"CENTERED", 0}}) + list_text("begin", rank_of(problem)) +
         (has_operand(problem, 2)
              ? "BURNISH_DEVICE Out0 padding(const Operands& p, const Sizes& s) { const int first[1] = {0}; "
                "return in2(p, s, first); }\n"
              : "BURNISH_DEVICE Out0 padding(const Operands&, const Sizes&) { return Out0(0); }\n");
}

void pad_sizes(const Problem& problem, Sizes& sizes) {
  add_list(sizes, "begin", pads_before(problem), rank_of(problem));
}
Bindings pad_late(const Problem& problem) {
  return late_list("begin", pads_before(problem).value_or(Numbers()));
}

std::string center_constants(const Problem& problem) {
  return constants_text({{"MODE", 0}, {"CENTERED", 1}}) +
         "BURNISH_DEVICE int begin_of(const Sizes&, int) { return 0; }\n"
         "BURNISH_DEVICE Out0 padding(const Operands&, const Sizes&) { return Out0(0); }\n" +
         (rank_of(problem) ? "" : "");
}

// --- slice ---

/// Starts, then steps, of every dimension; nullopt where an operand or a dimension is not known.
std::optional<Numbers> slice_windows(const Problem& problem) {
  const std::vector<ir::Dim>& shape = operand_type(problem, 0).shape;
  Numbers numbers(2 * shape.size(), 0);
  std::fill(numbers.begin() + static_cast<std::ptrdiff_t>(shape.size()), numbers.end(), 1);
  const auto starts = known_numbers(problem, 1), ends = known_numbers(problem, 2),
             axes = known_numbers(problem, 3), steps = known_numbers(problem, 4);
  const bool known =
      starts && ends && (axes || !has_operand(problem, 3)) && (steps || !has_operand(problem, 4));
  if (!known) return std::nullopt;
  for (size_t i = 0; i < starts->size(); ++i) {
    const size_t d =
        static_cast<size_t>(axes ? ops::normalize_axis(axes->at(i), static_cast<int64_t>(shape.size()))
                                 : static_cast<int64_t>(i));
    if (!shape.at(d).is_constant()) return std::nullopt;
    const ops::SliceWindow window =
        ops::slice_window(shape[d].constant(), (*starts)[i], ends->at(i), steps ? steps->at(i) : 1);
    numbers[d] = window.start;
    numbers[d + shape.size()] = window.step;
  }
  return numbers;
}

std::string slice_constants(const Problem& problem) {
  const size_t rank = rank_of(problem);
  return list_text("window", 2 * rank) +
         fmt::format(
             "BURNISH_DEVICE int start_of(const Sizes& s, int d) {{ return window_of(s, d); }}\n"
             "BURNISH_DEVICE int step_of(const Sizes& s, int d) {{ return window_of(s, d + {}); }}\n",
             rank);
}
void slice_sizes(const Problem& problem, Sizes& sizes) {
  add_list(sizes, "window", slice_windows(problem), 2 * rank_of(problem));
}
Bindings slice_late(const Problem& problem) {
  Numbers numbers = slice_windows(problem).value_or(Numbers());
  for (int64_t& number : numbers) number = clamp_to_int(number);
  return late_list("window", numbers);
}

// --- triangles and blocks ---

std::optional<Numbers> diagonal(const Problem& problem) {
  if (!has_operand(problem, 1)) return Numbers{0};
  auto k = known_numbers(problem, 1);
  if (k) k->at(0) = clamp_to_int(k->at(0));
  return k;
}
std::string trilu_constants(const Problem& problem) {
  return constants_text({{"UPPER", attributes_of<ops::TriluAttributes>(problem).upper}});
}
void trilu_sizes(const Problem& problem, Sizes& sizes) { add_list(sizes, "diagonal", diagonal(problem), 1); }
Bindings trilu_late(const Problem& problem) {
  return late_list("diagonal", diagonal(problem).value_or(Numbers()));
}

std::string eye_constants(const Problem& problem) {
  return constants_text({{"DIAGONAL", clamp_to_int(attributes_of<ops::EyeLikeAttributes>(problem).k)}});
}

std::string reverse_constants(const Problem& problem) {
  const auto& attributes = attributes_of<ops::ReverseSequenceAttributes>(problem);
  return constants_text({{"BATCH_AXIS", attributes.batch_axis}, {"TIME_AXIS", attributes.time_axis}});
}

std::string block_constants(const Problem& problem) {
  const auto& attributes = attributes_of<ops::BlockAttributes>(problem);
  return constants_text({{"BLOCK", attributes.blocksize},
                         {"BLOCK_FIRST", attributes.mode == "DCR"},
                         {"TO_SPACE", problem.node(0).op == &ops::def::depth_to_space}});
}

}  // namespace

std::span<const ElementOp> movement_element_ops() {
  static const ElementOp ops[] = {
      {.op = &ops::def::pad,
       .kernel = "pad",
       .constants = pad_constants,
       .sizes = pad_sizes,
       .late = pad_late,
       .images = true},
      {.op = &ops::def::center_crop_pad, .kernel = "pad", .constants = center_constants},
      {.op = &ops::def::slice,
       .kernel = "slice",
       .constants = slice_constants,
       .sizes = slice_sizes,
       .late = slice_late},
      {.op = &ops::def::expand, .kernel = "repeat"},
      {.op = &ops::def::tile, .kernel = "repeat"},
      {.op = &ops::def::trilu,
       .kernel = "trilu",
       .constants = trilu_constants,
       .sizes = trilu_sizes,
       .late = trilu_late},
      {.op = &ops::def::eye_like, .kernel = "eye_like", .constants = eye_constants},
      {.op = &ops::def::range, .kernel = "range"},
      {.op = &ops::def::reverse_sequence, .kernel = "reverse_sequence", .constants = reverse_constants},
      {.op = &ops::def::depth_to_space,
       .kernel = "depth_to_space",
       .constants = block_constants,
       .images = true},
      {.op = &ops::def::space_to_depth,
       .kernel = "depth_to_space",
       .constants = block_constants,
       .images = true},
  };
  return ops;
}

}  // namespace burnish::cuda
