// non_max_suppression: boxes that overlap a better one are dropped.
#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/parallel.h"
#include "ops/data_attributes.h"
#include "ops/host.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::ops::def {
namespace {

using ir::Dim;

struct Box {
  float y1, x1, y2, x2;
  float area() const { return (y2 - y1) * (x2 - x1); }
};

Box box_at(const float* data, bool center_point) {
  if (center_point)
    return {data[1] - data[3] / 2, data[0] - data[2] / 2, data[1] + data[3] / 2, data[0] + data[2] / 2};
  return {std::min(data[0], data[2]), std::min(data[1], data[3]), std::max(data[0], data[2]),
          std::max(data[1], data[3])};
}

/// Intersection over union; 0 for boxes without an area.
float overlap(const Box& a, const Box& b) {
  const float height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1),
              width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  if (height <= 0 || width <= 0 || a.area() <= 0 || b.area() <= 0) return 0;
  const float both = height * width;
  return both / (a.area() + b.area() - both);
}

struct Limits {
  int64_t boxes = 0;
  float overlap = 0, score = 0;
  bool has_score = false;
};

/// The boxes kept of one class, best first.
std::vector<int64_t> keep(const float* boxes, const float* scores, int64_t count, bool center_point,
                          const Limits& limits) {
  std::vector<int64_t> order;
  for (int64_t i = 0; i < count; ++i)
    if (limits.has_score ? scores[i] > limits.score : scores[i] == scores[i]) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return scores[a] > scores[b]; });
  std::vector<int64_t> kept;
  for (int64_t i : order) {
    if (static_cast<int64_t>(kept.size()) >= limits.boxes) break;
    const Box box = box_at(boxes + i * 4, center_point);
    const bool dropped = std::any_of(kept.begin(), kept.end(), [&](int64_t better) {
      return overlap(box_at(boxes + better * 4, center_point), box) > limits.overlap;
    });
    if (!dropped) kept.push_back(i);
  }
  return kept;
}

void infer_non_max_suppression(InferContext& context) {
  const auto &boxes = context.shape(0), &scores = context.shape(1);
  require(boxes.size() == 3 && scores.size() == 3 && (boxes[2].is(4) || !boxes[2].is_constant()),
          "boxes must be [batch,boxes,4] and scores [batch,classes,boxes], not {} and {}",
          context.type(0).str(), context.type(1).str());
  require(context.dtype(0) == DType::f32 && context.dtype(1) == DType::f32, "boxes and scores must be f32");
  context.set(0, DType::i64, {context.fresh(0, 0), Dim(3)});
}

void reference_non_max_suppression(const ReferenceCall& call) {
  const Tensor &boxes = call.inputs[0], &scores = call.inputs[1];
  const int64_t batches = scores.shape()[0], classes = scores.shape()[1], count = scores.shape()[2];
  require(boxes.shape() == Shape({batches, count, 4}), "boxes of shape {} do not fit scores of {}",
          shape_text(boxes.shape()), shape_text(scores.shape()));
  Limits limits;
  if (call.has(2)) limits.boxes = integer_of(call.inputs[2]);
  if (call.has(3)) limits.overlap = static_cast<float>(number_of(call.inputs[3]));
  limits.has_score = call.has(4);
  if (call.has(4)) limits.score = static_cast<float>(number_of(call.inputs[4]));
  const bool center_point = call.attribute<NonMaxSuppressionAttributes>().center_point_box;

  std::vector<std::vector<int64_t>> kept(static_cast<size_t>(batches * classes));
  parallel_for(batches * classes, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      kept[static_cast<size_t>(i)] = keep(boxes.data<float>() + i / classes * count * 4,
                                          scores.data<float>() + i * count, count, center_point, limits);
  });
  std::vector<int64_t> selected;
  for (int64_t i = 0; i < batches * classes; ++i)
    for (int64_t box : kept[static_cast<size_t>(i)])
      selected.insert(selected.end(), {i / classes, i % classes, box});
  call.outputs[0] = Tensor::of<int64_t>({static_cast<int64_t>(selected.size()) / 3, 3}, selected);
}

}  // namespace

const OpDef non_max_suppression =
    op<NonMaxSuppressionAttributes>("non_max_suppression")
        .input("boxes")
        .input("scores")
        .host("max_output_boxes_per_class", true)
        .host("iou_threshold", true)
        .host("score_threshold", true)
        .output("selected")
        .infer(infer_non_max_suppression)
        .reference(reference_non_max_suppression)
        .onnx("NonMaxSuppression", 10)
        .summary("[batch, class, box] of the boxes that overlap no better one of their class, best first");

}  // namespace burnish::ops::def
