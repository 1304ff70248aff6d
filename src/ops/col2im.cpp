// col2im: blocks of columns summed back into an image.
#include <algorithm>
#include <cstring>

#include "base/dispatch.h"
#include "base/error.h"
#include "base/parallel.h"
#include "ops/host.h"
#include "ops/indexing.h"
#include "ops/infer.h"
#include "ops/strided.h"
#include "ops/table.h"
#include "ops/vision_attributes.h"
#include "ops/wide.h"

namespace burnish::ops::def {
namespace {

using ir::Dim;

void infer_col2im(InferContext& context) {
  const auto& x = context.shape(0);
  const auto *image = context.contents(1), *block = context.contents(2);
  require(x.size() == 3, "expected [N, C * block, L], not {}", context.type(0).str());
  const Dim extent = image ? Dim(static_cast<int64_t>(image->size())) : product(context.shape(1));
  require(extent.is_constant(), "the number of image dimensions must be known");
  std::vector<Dim> shape = {x[0], block ? exact_div(x[1], product(*block)) : context.fresh(0, 1)};
  for (int64_t d = 0; d < extent.constant(); ++d)
    shape.push_back(image ? (*image)[static_cast<size_t>(d)] : context.fresh(0, static_cast<int>(d + 2)));
  context.set(0, context.dtype(0), std::move(shape));
}

/// A list of one number per dimension, or `otherwise` in all of them.
std::vector<int64_t> filled(const std::vector<int64_t>& list, size_t count, int64_t otherwise) {
  require(list.empty() || list.size() == count, "expected {} numbers, not {}", count, list.size());
  return list.empty() ? std::vector<int64_t>(count, otherwise) : list;
}

void reference_col2im(const ReferenceCall& call) {
  const auto& attributes = call.attribute<Col2ImAttributes>();
  const Tensor& x = call.inputs[0];
  Tensor& y = call.outputs[0];
  const Shape image(y.shape().begin() + 2, y.shape().end());
  const std::vector<int64_t> block = integers_of(call.inputs[2]),
                             strides = filled(attributes.strides, image.size(), 1);
  const std::vector<int64_t> dilations = filled(attributes.dilations, image.size(), 1),
                             pads = filled(attributes.pads, 2 * image.size(), 0);
  require(block.size() == image.size(), "a block of {} dimensions in an image of {}", block.size(),
          image.size());
  Shape steps;  // how many places the block has in each dimension
  for (size_t d = 0; d < image.size(); ++d) {
    require(strides[d] > 0 && dilations[d] > 0 && block[d] > 0,
            "strides, dilations and blocks must be positive");
    const int64_t room = image[d] + pads[d] + pads[d + image.size()] - dilations[d] * (block[d] - 1) - 1;
    steps.push_back(room < 0 ? 0 : room / strides[d] + 1);
  }
  const int64_t places = product_of(steps), offsets = product_of(block), pixels = product_of(image);
  require(x.shape() == Shape({y.shape()[0], y.shape()[1] * offsets, places}), "expected {}x{}x{}, not {}",
          y.shape()[0], y.shape()[1] * offsets, places, shape_text(x.shape()));
  const std::vector<int64_t> image_strides = dense_strides(image);
  std::memset(y.raw(), 0, static_cast<size_t>(y.bytes()));
  dispatch(WideNumberTypes{}, x.dtype(), [&]<class T>(Type<T>) {
    parallel_for(y.shape()[0] * y.shape()[1], 1, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin * offsets; row < end * offsets; ++row) {
        const Shape offset = unravel(row % offsets, block);
        for (int64_t place = 0; place < places; ++place) {
          const Shape step = unravel(place, steps);
          int64_t pixel = 0;
          bool inside = true;
          for (size_t d = 0; d < image.size(); ++d) {
            const int64_t at = step[d] * strides[d] + offset[d] * dilations[d] - pads[d];
            inside = inside && at >= 0 && at < image[d];
            pixel += at * image_strides[d];
          }
          if (inside)
            wrapping_data<T>(y)[row / offsets * pixels + pixel] += wrapping_data<T>(x)[row * places + place];
        }
      }
    });
  });
}

}  // namespace

const OpDef col2im =
    op<Col2ImAttributes>("col2im")
        .input("x")
        .host("image_shape")
        .host("block_shape")
        .output("y")
        .infer(infer_col2im)
        .reference(widen<reference_col2im>)
        .onnx("Col2Im", 18)
        .summary("the image whose blocks are the columns of x; where blocks overlap, their sum");

}  // namespace burnish::ops::def
