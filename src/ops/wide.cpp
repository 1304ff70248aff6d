#include "ops/wide.h"

#include "base/parallel.h"

namespace burnish::ops {
namespace {

constexpr int64_t grain = 1 << 14;

bool is_narrow(const Tensor& tensor) {
  return !tensor.empty() && (tensor.dtype() == DType::f16 || tensor.dtype() == DType::bf16);
}

template <class To, class From>
void convert(const Tensor& from, Tensor& to) {
  const From* source = from.data<From>();
  To* target = to.data<To>();
  parallel_for(from.size(), grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) target[i] = To(static_cast<float>(source[i]));
  });
}

}  // namespace

Tensor widened(const Tensor& tensor) {
  if (!is_narrow(tensor)) return tensor;
  Tensor wide(DType::f32, tensor.shape());
  if (tensor.dtype() == DType::f16)
    convert<float, Half>(tensor, wide);
  else
    convert<float, BFloat16>(tensor, wide);
  return wide;
}

void run_widened(const ReferenceCall& call, void (*kernel)(const ReferenceCall&)) {
  std::vector<Tensor> inputs, outputs;
  for (const Tensor& input : call.inputs) inputs.push_back(widened(input));
  for (const Tensor& output : call.outputs)
    outputs.push_back(is_narrow(output) ? Tensor(DType::f32, output.shape()) : output);
  kernel({call.op, call.attributes, inputs, outputs, call.bodies});
  for (size_t i = 0; i < outputs.size(); ++i) {
    Tensor& output = call.outputs[i];
    if (!is_narrow(output))
      output = outputs[i];
    else if (output.dtype() == DType::f16)
      convert<Half, float>(outputs[i], output);
    else
      convert<BFloat16, float>(outputs[i], output);
  }
}

}  // namespace burnish::ops
