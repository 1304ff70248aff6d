// Guessed sizes under which dimensions that are broadcast together agree.
#pragma once

#include "ir/dim.h"

namespace burnish::ir {

/// Both operands of each broadcast() inside `dim`, inner ones first.
void collect_broadcasts(const Dim& dim, std::vector<std::pair<Dim, Dim>>& into);

/// Changes what `sizes` guesses for the symbols `free`, which only a run can tell, so that the operands of
/// every broadcast() inside `dims` are equal or one of them is 1. One symbol is changed for each that does
/// not hold; where that takes no whole number, the guesses stay.
void make_agree(const std::vector<Dim>& dims, const std::set<std::string>& free, Bindings& sizes);

}  // namespace burnish::ir
