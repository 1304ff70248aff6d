// BuildOptions::io: the element type and the order of dimensions in which inputs and outputs are handed over.
#pragma once

#include <burnish/build.h>

#include "ir/graph.h"

namespace burnish::build_internal {

/// "fp16:nhwc" as its parts, each of which may be missing.
struct IoFormat {
  std::optional<DType> dtype;
  bool channels_last = false;
};

/// Throws UsageError that says what may stand there. `name` is the input's or output's.
IoFormat parse_io_format(const std::string& name, const std::string& text);

/// The model's shape of a tensor handed over in a format: NHWC back to NCHW.
Shape model_shape(const IoFormat& format, const Shape& handed_over);

/// Makes the graph take and give what the options say, with casts and transposes at its edge: with nhwc the
/// caller's tensor has the shape N, spatial..., C. Throws UsageError for a name that is neither input nor
/// output.
void apply_io(ir::Graph& graph, const BuildOptions& options);

/// What a build starts from: the model's graph for the shapes and formats that the options ask for.
std::shared_ptr<ir::Graph> requested_graph(const Model& model, const BuildOptions& options);

}  // namespace burnish::build_internal
