#include "backends/cpu/tactics.h"

#include "backends/cpu/onednn_tactics.h"
#include "backends/cpu/simd_tactics.h"

namespace burnish::cpu {

std::span<const device::Tactic* const> tactics() {
  static const std::initializer_list<const device::Tactic*> table = {
      &window_tactic(),            //
      &conv_tactic(),              //
      &pixel_conv_tactic(),        //
      &matmul_tactic(),            //
      &product_tactic(),           //
      &byte_product_tactic(),      //
      &dynamic_quantize_tactic(),  //
      &pool_tactic(),              //
      &attention_tactic(),         //
      &lstm_tactic(),              //
      &pointwise_tactic(),         //
      &simd_softmax_tactic(),      //
      &softmax_tactic(),           //
      &norm_tactic(),              //
      &fused_norm_tactic(),        //
      &layer_norm_tactic(),        //
      &lrn_tactic(),               //
      &reduce_tactic(),            //
      &arg_tactic(),               //
      &resize_tactic(),            //
      &transpose_tactic(),         //
      &composed_move_tactic(),     //
      &concat_tactic(),            //
      &slice_tactic(),             //
      &pad_tactic(),               //
      &simd_reformat_tactic(),     //
      &reformat_tactic(),          //
      &direct_tactic(),            //
  };
  return {table.begin(), table.size()};
}

}  // namespace burnish::cpu
