// Small integer tensors whose contents shape inference knows: from dimensions back to nodes.
#pragma once

#include <optional>

#include "ir/attribute_value.h"
#include "ir/patch.h"

namespace burnish::rewrite {

/// Adds to `patch` what makes a vector of `dims`: a constant where they are numbers, else a `dims` node over
/// values whose shapes hold the symbols. nullopt, with the reason, where no shape holds a symbol by itself.
std::optional<ir::Patch::Source> add_dims(const ir::Graph& graph, ir::Patch& patch,
                                          const std::vector<ir::Dim>& dims, std::string& why_not);

/// Replaces `value`, whose contents are known, by a constant or a `dims` node with the arithmetic inside.
/// nullopt where a symbol has no source.
std::optional<ir::Patch> contents_patch(const ir::Graph& graph, ir::ValueId value);

/// What a reshape from `from` to `to` asks for: numbers where 0 (copy) and one -1 (what is left) suffice,
/// else the dimensions themselves.
ir::AttributeValue reshape_target(const std::vector<ir::Dim>& from, const std::vector<ir::Dim>& to);

/// Whether `node` is what contents_patch() makes.
bool makes_dims(const ir::Graph& graph, ir::NodeId node);

}  // namespace burnish::rewrite
