// Pieces of the IR's text that other languages share: numbers, lists, types.
#pragma once

#include "ir/attribute_value.h"
#include "ir/lexer.h"
#include "ir/type.h"

namespace burnish::ir {

/// "-1.5", "inf", "nan"; throws Error with the place.
double read_number(Lexer& lexer);
/// "f32[n,3] nhwc"
TensorType read_type(Lexer& lexer);
/// A number, word ("true", an element type, any other), string, or list of one kind: an attribute whose type
/// is not known beforehand. A number without point or exponent is an integer.
AttributeValue read_attribute(Lexer& lexer);

}  // namespace burnish::ir
