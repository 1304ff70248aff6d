// The SIMD kernel of LSTM's cell.
#pragma once

#include <cstdint>

namespace burnish::cpu {

/// For n hidden units, whose gates' inputs lie as i, o, f, c: [4][n]. cell = sigmoid(f) cell + sigmoid(i)
/// tanh(c); hidden = sigmoid(o) tanh(cell).
using LstmCell = void (*)(const float* gates, int64_t n, float* cell, float* hidden);

/// For the best instruction set here.
LstmCell lstm_cell();

}  // namespace burnish::cpu
