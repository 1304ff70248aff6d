// The tactics over oneDNN against the reference, in all layouts and with all candidates.
#include <gtest/gtest.h>

#include <cstring>

#include "backends/cpu/onednn.h"
#include "ops/evaluate.h"
#include "tests/cpu/tactic_check.h"

namespace burnish::test {
namespace {

/// Sums of hundreds of products: f32 rounding in another order.
const CheckOptions contraction{.relative = 2e-4, .absolute = 2e-4, .range = 1};

void check_conv(const std::string& problem) {
  check_tactic("onednn.conv", "graph problem" + problem, contraction);
}

TEST(OnednnConv, WithBiasAndActivation) {
  check_conv(R"((%x0: f32[1,32,9,7], %w1: f32[24,32,3,3], %w2: f32[24]) {
    %y = conv(%x0, %w1, %w2) {pads=[1,1,1,1]} : f32[1,24,9,7] yield %y })");
  for (const char* activation :
       {"relu(%c)", "leaky_relu(%c) {alpha=0.2}", "clip(%c) {min=0.0, max=6.0}", "silu(%c)", "gelu(%c)",
        "gelu(%c) {approximate=true}", "hardswish(%c)", "hardsigmoid(%c)", "sigmoid(%c)", "tanh(%c)",
        "elu(%c) {alpha=0.7}", "softplus(%c)"})
    check_conv(fmt::format(R"((%x0: f32[2,20,8,5], %w1: f32[33,20,3,3], %w2: f32[33]) {{
      %c = conv(%x0, %w1, %w2) {{strides=[2,1], pads=[1,0,0,2]}} : f32[2,33,4,5]
      %y = {} : f32[2,33,4,5] yield %y }})",
                           activation));
}

TEST(OnednnConv, WithResidual) {
  check_conv(R"((%x0: f32[1,32,6,7], %w1: f32[48,32,1,1], %w2: f32[48], %x3: f32[1,48,6,7]) {
    %c = conv(%x0, %w1, %w2) : f32[1,48,6,7]
    %s = add(%c, %x3) : f32[1,48,6,7]
    %y = relu(%s) : f32[1,48,6,7] yield %y })");
  // The residual is the input itself: it cannot be accumulated where it lies.
  check_conv(R"((%x0: f32[1,32,6,7], %w1: f32[32,32,3,3]) {
    %c = conv(%x0, %w1) {pads=[1,1,1,1]} : f32[1,32,6,7]
    %y = add(%c, %x0) : f32[1,32,6,7] yield %y })");
  check_conv(R"((%x0: f32[1,16,6,7], %w1: f32[16,16,3,3], %x2: f32[1,16,6,7], %x3: f32[1,16,6,7]) {
    %c = conv(%x0, %w1) {pads=[1,1,1,1]} : f32[1,16,6,7]
    %a = silu(%c) : f32[1,16,6,7]
    %b = add(%x2, %a) : f32[1,16,6,7]
    %y = mul(%b, %x3) : f32[1,16,6,7] yield %y })");
}

// Position embeddings: a constant that lies plain, whatever the output's layout.
TEST(OnednnConv, WithAWeightForEachPixel) {
  for (const char* op : {"add", "mul"}) {
    const std::string end = fmt::format("%v1 = {}(%v0, %w3) : f32[1,21,4,5] yield %v1 }}", op);
    check_conv(
        "(%x0: f32[1,3,16,20], %w1: f32[21,3,7,7], %w2: f32[21], %w3: f32[1,21,4,5]) {"
        "%v0 = conv(%x0, %w1, %w2) {strides=[4,4], pads=[3,3,3,3]} : f32[1,21,4,5] " +
        end);
    check_conv(
        "(%x0: f32[1,20,4,5], %w1: f32[21,20,1,1], %w2: f32[21], %w3: f32[1,21,4,5]) {"
        "%v0 = conv(%x0, %w1, %w2) : f32[1,21,4,5] " +
        end);
  }
}

TEST(OnednnConv, WithScalarsAndPerChannelOperands) {
  check_conv(R"((%x0: f32[1,32,6,7], %w1: f32[48,32,1,1], %w2: f32[1,48,1,1], %w3: f32[48,1,1]) {
    constant @half: f32[] = {0.5}
    %c = conv(%x0, %w1) : f32[1,48,6,7]
    %b = mul(%c, @half) : f32[1,48,6,7]
    %d = mul(%b, %w2) : f32[1,48,6,7]
    %e = add(%d, %w3) : f32[1,48,6,7]
    %y = sigmoid(%e) : f32[1,48,6,7] yield %y })");
}

/// Between two blocked formats the way leads over the plain one where oneDNN would go element by element.
TEST(OnednnReorder, BetweenBlockedFormats) {
  using tag = dnnl::memory::format_tag;
  namespace onednn = cpu::onednn;
  const Shape shape = {20, 24, 3, 1};
  std::mt19937 random(11);
  const Tensor plain = random_tensor(random, DType::f32, shape, 1);
  const onednn::Desc rows = onednn::desc_of(DType::f32, shape, ir::Layout::plain);
  const auto device = device::open_device("cpu");
  device->execute([&] {
    for (tag from : {tag::Acdb16a, tag::aBcd16b, tag::ABcd16b16a, tag::Acdb8a})
      for (tag to : {tag::Acdb16a, tag::aBcd16b, tag::ABcd16b16a, tag::Acdb8a}) {
        const onednn::Desc source(shape, dnnl::memory::data_type::f32, from),
            target(shape, dnnl::memory::data_type::f32, to);
        const Tensor got = onednn::reordered(onednn::reordered(plain, rows, source), source, target);
        const Tensor back = onednn::reordered(got, target, rows);
        ASSERT_EQ(std::memcmp(back.raw(), plain.raw(), static_cast<size_t>(plain.bytes())), 0)
            << static_cast<int>(from) << " to " << static_cast<int>(to);
      }
  });
}

/// At some of these widths oneDNN has only reference code for the format in which weights were packed at opt.
TEST(OnednnConv, AtOtherShapesThanOpt) {
  const device::Problem plain = device::Problem::parse(R"(graph problem(
      %x0: f32[1,384,1,w], %w1: f32[120,384,1,1], %w2: f32[120]) {
    symbol w 10 80 320
    %c = conv(%x0, %w1, %w2) : f32[1,120,1,w]
    %y = silu(%c) : f32[1,120,1,w] yield %y })");
  constexpr ir::Layout nhwc = ir::Layout::nhwc;
  const device::Problem problem = plain.with_layouts({nhwc, ir::Layout::plain, ir::Layout::plain, nhwc});
  const auto device = device::open_device("cpu");
  const device::Tactic& tactic = *device::find_tactic(*device, "onednn.conv");
  std::mt19937 random(7);
  const Tensor w1 = random_tensor(random, DType::f32, {120, 384, 1, 1}, 0.1),
               w2 = random_tensor(random, DType::f32, {120}, 1);
  const std::vector<Tensor> weights = {{}, w1, w2};
  const auto stream = device->create_stream();
  for (const device::Candidate& candidate : tactic.candidates(problem, *device)) {
    const std::vector<Tensor> constants = tactic.pack(problem, candidate, weights, *device);
    const auto kernel = tactic.load(problem, candidate, "", *device);
    for (int64_t width : {80, 10, 33, 120, 240, 320}) {
      const Tensor x = random_tensor(random, DType::f32, {1, 384, 1, width}, 1);
      const std::vector<Tensor> operands = {x, w1, w2};
      const device::Problem concrete = plain.at({{"w", width}});
      const Tensor wanted = ops::evaluate(concrete.body(), operands)[0];
      const std::vector<device::BoundTensor> inputs = {
          {DType::f32, x.shape(), nhwc}, {DType::f32, w1.shape()}, {DType::f32, w2.shape()}};
      const std::vector<device::BoundTensor> outputs = {{DType::f32, wanted.shape(), nhwc}};
      const std::vector<Tensor> host(3);
      const auto bound = kernel->bind({inputs, outputs, host});
      const std::vector<char> from = to_layout(x, nhwc);
      const Tensor workspace(DType::u8, {static_cast<int64_t>(bound->workspace_bytes())});
      Tensor to(DType::f32, wanted.shape());
      const void* given[] = {from.data(), nullptr, nullptr};
      void* made[] = {to.raw()};
      device->execute([&] {
        bound->enqueue(*stream, {given, made, constants, const_cast<void*>(workspace.raw())});
      });
      const Tensor got = from_layout(to.raw(), DType::f32, wanted.shape(), nhwc);
      for (int64_t i = 0; i < got.size(); ++i)
        ASSERT_NEAR(got.data<float>()[i], wanted.data<float>()[i], 2e-4)
            << candidate.id << " at width " << width << ", element " << i;
    }
  }
}

// A gate per channel, of an image whose size data tell: one pixel, for all that the build knows.
TEST(OnednnConv, LooksForNoOtherKernelOfPointsInOneDimension) {
  // oneDNN 2.6 divides by uninitialised memory in that search: Wav2Vec2-Conformer's build ended in SIGFPE now
  // and then.
  const auto problem = device::Problem::parse(
      "graph problem(%x0: f32[2,48,21] c16, %w1: f32[48,48,1]) { %v0 = conv(%x0, %w1) {strides=[1], "
      "pads=[0,0], "
      "dilations=[1]} : f32[2,48,21] c16 yield %v0 }");
  const auto device = device::open_device("cpu");
  for (const device::Candidate& candidate :
       device::find_tactic(*device, "onednn.conv")->candidates(problem, *device))
    EXPECT_NE(candidate.id, "gemm");
}

TEST(OnednnConv, LeavesWhatWidensItsResultAlone) {
  const device::Problem problem = device::Problem::parse(R"(graph problem(
      %x0: f32[1,24,1,1], %w1: f32[32,24,1,1], %x2: f32[1,32,h,w]) {
    symbol h 0 1 -1 symbol w 0 1 -1
    %c = conv(%x0, %w1) : f32[1,32,1,1]
    %g = sigmoid(%c) : f32[1,32,1,1]
    %y = mul(%x2, %g) : f32[1,32,h,w] yield %y })");
  const auto device = device::open_device("cpu");
  const auto taken = device::find_tactic(*device, "onednn.conv")->supports(problem, device->info());
  ASSERT_FALSE(taken);
  EXPECT_NE(taken.reason().find("widens"), std::string::npos) << taken.reason();
}

TEST(OnednnConv, WithGroups) {
  check_conv(R"((%x0: f32[1,32,9,7], %w1: f32[32,1,3,3], %w2: f32[32]) {
    %c = conv(%x0, %w1, %w2) {pads=[1,1,1,1], group=32} : f32[1,32,9,7]
    %y = clip(%c) {min=0.0, max=6.0} : f32[1,32,9,7] yield %y })");
  check_conv(R"((%x0: f32[1,20,9,9], %w1: f32[20,1,5,5], %w2: f32[20]) {
    %y = conv(%x0, %w1, %w2) {strides=[2,2], pads=[2,2,2,2], group=20} : f32[1,20,5,5] yield %y })");
  check_conv(R"((%x0: f32[2,12,5,5], %w1: f32[9,4,3,3]) {
    %y = conv(%x0, %w1) {group=3} : f32[2,9,3,3] yield %y })");
  check_conv(R"((%x0: f32[2,64,5,5], %w1: f32[64,32,3,3]) {
    %y = conv(%x0, %w1) {group=2, pads=[1,1,1,1]} : f32[2,64,5,5] yield %y })");
}

TEST(OnednnConv, OfOtherRanksDilationsAndStems) {
  check_conv(R"((%x0: f32[1,3,17,19], %w1: f32[40,3,7,7], %w2: f32[40]) {
    %c = conv(%x0, %w1, %w2) {strides=[2,2], pads=[3,3,3,3]} : f32[1,40,9,10]
    %y = relu(%c) : f32[1,40,9,10] yield %y })");
  check_conv(R"((%x0: f32[2,7,23], %w1: f32[11,7,4]) {
    %y = conv(%x0, %w1) {strides=[3], pads=[2,1], dilations=[2]} : f32[2,11,7] yield %y })");
  check_conv(R"((%x0: f32[1,5,6,7,8], %w1: f32[9,5,3,2,3]) {
    %y = conv(%x0, %w1) {strides=[1,2,2], pads=[1,0,1,1,0,1]} : f32[1,9,6,3,4] yield %y })");
  check_conv(R"((%x0: f32[1,32,15,15], %w1: f32[32,32,3,3]) {
    %y = conv(%x0, %w1) {dilations=[2,2], pads=[2,2,2,2]} : f32[1,32,15,15] yield %y })");
  check_conv(R"((%x0: f32[1,4,8,8], %w1: f32[6,4,3,3]) {
    %y = conv(%x0, %w1) {auto_pad="SAME_UPPER", strides=[2,2]} : f32[1,6,4,4] yield %y })");
}

TEST(OnednnConv, WithWeightsThatAreComputed) {
  check_conv(R"((%x0: f32[1,6,8,8], %x1: f32[10,6,3,3], %x2: f32[10]) {
    %y = conv(%x0, %x1, %x2) : f32[1,10,6,6] yield %y })");
}

// A generator's first image is a constant that computed weights convolve.
TEST(OnednnConv, OfAConstant) {
  check_conv(R"((%w0: f32[1,24,4,5], %x1: f32[10,24,3,3]) {
    %c = conv(%w0, %x1) {pads=[1,1,1,1]} : f32[1,10,4,5]
    %y = leaky_relu(%c) {alpha=0.2} : f32[1,10,4,5] yield %y })");
  check_conv(R"((%w0: f32[1,6,7,5], %x1: f32[6,4,3,3], %w2: f32[4]) {
    %y = conv_transpose(%w0, %x1, %w2) {dilations=[2,2]} : f32[1,4,11,9] yield %y })");
}

TEST(OnednnConv, Transposed) {
  check_conv(R"((%x0: f32[1,24,7,5], %w1: f32[24,16,2,2], %w2: f32[16]) {
    %c = conv_transpose(%x0, %w1, %w2) {strides=[2,2]} : f32[1,16,14,10]
    %y = relu(%c) : f32[1,16,14,10] yield %y })");
  check_conv(R"((%x0: f32[1,6,7,5], %w1: f32[6,4,3,3]) {
    %y = conv_transpose(%x0, %w1) {strides=[2,3], pads=[1,1,1,0], output_padding=[1,1], group=2} : f32[1,8,14,16] yield %y })");
  check_conv(R"((%x0: f32[1,6,7,5], %x1: f32[6,4,3,3]) {
    %y = conv_transpose(%x0, %x1) {dilations=[2,2]} : f32[1,4,11,9] yield %y })");
}

void check_matmul(const std::string& problem) {
  check_tactic("onednn.matmul", "graph problem" + problem, contraction);
}

TEST(OnednnMatMul, WithWeights) {
  check_matmul(R"((%x0: f32[5,70], %w1: f32[70,33]) { %y = matmul(%x0, %w1) : f32[5,33] yield %y })");
  check_matmul(R"((%x0: f32[2,9,64], %w1: f32[48,64], %w2: f32[48], %x3: f32[2,9,48]) {
    %p = matmul(%x0, %w1) {transpose_b=true} : f32[2,9,48]
    %b = add(%p, %w2) : f32[2,9,48]
    %g = gelu(%b) : f32[2,9,48]
    %y = add(%g, %x3) : f32[2,9,48] yield %y })");
  check_matmul(R"((%x0: f32[1,300], %w1: f32[300,1000], %w2: f32[1000]) {
    %p = matmul(%x0, %w1) : f32[1,1000]
    %y = add(%p, %w2) : f32[1,1000] yield %y })");
  check_matmul(R"((%w0: f32[20,30], %x1: f32[3,30,7]) { %y = matmul(%w0, %x1) : f32[3,20,7] yield %y })");
}

TEST(OnednnMatMul, Batched) {
  check_matmul(R"((%x0: f32[2,3,17,24], %x1: f32[2,3,19,24]) {
    %y = matmul(%x0, %x1) {transpose_b=true} : f32[2,3,17,19] yield %y })");
  check_matmul(R"((%x0: f32[2,3,17,19], %x1: f32[3,19,8], %x2: f32[2,3,17,8]) {
    constant @c: f32[] = {0.125}
    %p = matmul(%x0, %x1) : f32[2,3,17,8]
    %s = mul(%p, @c) : f32[2,3,17,8]
    %y = add(%s, %x2) : f32[2,3,17,8] yield %y })");
  check_matmul(
      R"((%x0: f32[4,6,5], %x1: f32[4,6,9]) { %y = matmul(%x0, %x1) {transpose_a=true} : f32[4,5,9] yield %y })");
  check_matmul(R"((%x0: f32[1,6,5], %x1: f32[4,5,9]) { %y = matmul(%x0, %x1) : f32[4,6,9] yield %y })");
}

/// Shapes of an operand that oneDNN broadcasts over a product of several dimensions, merged into two or not.
TEST(OnednnMatMul, WithOperandsThatBroadcast) {
  const auto check = [](const char* right, const std::string& operand) {
    check_matmul(fmt::format(R"((%x0: f32[2,3,7,5], %x1: {}, {}) {{
      constant @scale: f32[] = {{0.6}}
      %p = matmul(%x0, %x1) : f32[2,3,7,9]
      %s = mul(%p, @scale) : f32[2,3,7,9]
      %m = mul(%s, {}) : f32[2,3,7,9]
      %y = tanh(%m) : f32[2,3,7,9] yield %y }})",
                             right, operand, operand.substr(0, 3)));
  };
  for (const char* operand : {"%w2: f32[]", "%x2: f32[]", "%w2: f32[1]", "%w2: f32[9]", "%x2: f32[2,3,7,9]"})
    for (const char* right : {"f32[3,5,9]", "f32[2,3,5,9]", "f32[5,9]"}) check(right, operand);
  for (const char* operand :
       {"%x2: f32[7,1]", "%w2: f32[3,1,1]", "%x2: f32[2,1,1,1]", "%x2: f32[2,3,1,9]", "%x2: f32[2,1,7,9]"})
    for (const char* right : {"f32[3,5,9]", "f32[2,3,5,9]"}) check(right, operand);
}

/// oneDNN 2 runs post-ops of one algorithm all with the parameters of the first of them.
TEST(OnednnEpilogue, WithStepsOfOneAlgorithm) {
  const std::string numbers = R"(
    constant @a: f32[] = {0.6}
    constant @b: f32[] = {20.0}
    constant @c: f32[] = {-0.3})";
  check_matmul(R"((%x0: f32[4,8], %x1: f32[8,6]) {)" + numbers + R"(
    %p = matmul(%x0, %x1) : f32[4,6]
    %q = mul(%p, @a) : f32[4,6]
    %r = add(%q, @b) : f32[4,6]
    %s = sub(@c, %r) : f32[4,6]
    %t = clip(%s) {min=-21.0, max=-19.5} : f32[4,6]
    %y = maximum(%t, @c) : f32[4,6] yield %y })");
  check_conv(R"((%x0: f32[1,16,9,7], %w1: f32[32,16,3,3], %w2: f32[32]) {)" + numbers + R"(
    %p = conv(%x0, %w1, %w2) : f32[1,32,7,5]
    %q = mul(%p, @a) : f32[1,32,7,5]
    %r = div(%q, @b) : f32[1,32,7,5]
    %s = clip(%r) {min=-0.2, max=0.5} : f32[1,32,7,5]
    %y = clip(%s) {min=0.6, max=0.9} : f32[1,32,7,5] yield %y })");
  // What cannot become one step is refused by the versions that would run it wrong.
  const auto device = device::open_device("cpu");
  const auto check = [&](const char* tactic, const std::string& text) {
    const device::Problem problem = device::Problem::parse("graph problem" + text);
    if (device::find_tactic(*device, tactic)->supports(problem, device->info()))
      check_tactic(tactic, problem.text(), contraction);
  };
  check("onednn.matmul", R"((%x0: f32[1,2,4,8], %x1: f32[1,2,4,8], %w2: f32[]) {)" + numbers + R"(
    %p = matmul(%x0, %x1) {transpose_b=true} : f32[1,2,4,4]
    %s = mul(%p, @a) : f32[1,2,4,4]
    %m = mul(%s, %w2) : f32[1,2,4,4]
    %t = tanh(%m) : f32[1,2,4,4]
    %y = mul(%t, @b) : f32[1,2,4,4] yield %y })");
  check("onednn.conv", R"((%x0: f32[1,16,9,7], %w1: f32[32,16,3,3]) {)" + numbers + R"(
    %p = conv(%x0, %w1) : f32[1,32,7,5]
    %s = mul(%p, @a) : f32[1,32,7,5]
    %t = tanh(%s) : f32[1,32,7,5]
    %y = mul(%t, @b) : f32[1,32,7,5] yield %y })");
  // An operand per column, which 2.6 takes and applies to channels last as if it were one per channel.
  check("onednn.conv", R"((%x0: f32[3,10,6,5], %w1: f32[4,10,1,1], %w2: f32[5]) {
    %p = conv(%x0, %w1) : f32[3,4,6,5]
    %y = mul(%p, %w2) : f32[3,4,6,5] yield %y })");
}

TEST(OnednnMatMul, OfVectors) {
  check_matmul(R"((%x0: f32[6], %x1: f32[6,5]) { %y = matmul(%x0, %x1) : f32[5] yield %y })");
  check_matmul(R"((%x0: f32[3,4,6], %x1: f32[6]) { %y = matmul(%x0, %x1) : f32[3,4] yield %y })");
  check_matmul(R"((%x0: f32[6], %x1: f32[6]) { %y = matmul(%x0, %x1) : f32[] yield %y })");
}

void check_pool(const std::string& problem) { check_tactic("onednn.pool", "graph problem" + problem); }

TEST(OnednnPool, MaxAndAverage) {
  check_pool(R"((%x0: f32[2,32,11,13]) {
    %y = max_pool(%x0) {kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]} : f32[2,32,6,7] yield %y })");
  check_pool(R"((%x0: f32[1,20,11,13]) {
    %y = max_pool(%x0) {kernel_shape=[3,2], strides=[2,2], ceil_mode=true} : f32[1,20,5,7] yield %y })");
  check_pool(
      R"((%x0: f32[1,20,11]) { %y = max_pool(%x0) {kernel_shape=[3], dilations=[2]} : f32[1,20,7] yield %y })");
  check_pool(R"((%x0: f32[1,20,11,13]) {
    %y = average_pool(%x0) {kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]} : f32[1,20,6,7] yield %y })");
  check_pool(R"((%x0: f32[1,20,11,13]) {
    %y = average_pool(%x0) {kernel_shape=[3,3], pads=[1,1,1,1], count_include_pad=true} : f32[1,20,11,13] yield %y })");
  check_pool(R"((%x0: f32[1,5,6,7,8]) {
    %y = average_pool(%x0) {kernel_shape=[2,3,2], strides=[2,2,2]} : f32[1,5,3,3,4] yield %y })");
}

TEST(OnednnPool, MeanOfAllPixels) {
  check_pool(R"((%x0: f32[2,48,7,9]) { %y = reduce_mean(%x0) {axes=[2,3]} : f32[2,48,1,1] yield %y })");
  check_tactic("onednn.pool",
               "graph problem(%x0: f32[2,48,7,9]) { %y = reduce_mean(%x0) {axes=[-1,-2], keepdims=false} : "
               "f32[2,48] yield %y }",
               {.layout_sets = {{ir::Layout::c16, ir::Layout::plain},
                                {ir::Layout::nhwc, ir::Layout::plain},
                                {ir::Layout::plain, ir::Layout::plain}}});
}

TEST(OnednnSoftmax, AlongAnyAxis) {
  check_tactic("onednn.softmax",
               "graph problem(%x0: f32[3,5,37]) { %y = softmax(%x0) : f32[3,5,37] yield %y }");
  check_tactic("onednn.softmax",
               "graph problem(%x0: f32[3,19,7,5]) { %y = softmax(%x0) {axis=1} : f32[3,19,7,5] yield %y }");
  check_tactic("onednn.softmax",
               "graph problem(%x0: f32[4,100]) { %y = log_softmax(%x0) : f32[4,100] yield %y }");
}

TEST(OnednnLayerNorm, OverTheLastAxis) {
  check_tactic("onednn.layer_norm", R"(graph problem(%x0: f32[2,7,65], %w1: f32[65], %w2: f32[65]) {
    %y = layer_norm(%x0, %w1, %w2) {epsilon=1e-6} : f32[2,7,65] yield %y })");
  check_tactic(
      "onednn.layer_norm",
      "graph problem(%x0: f32[4,33], %x1: f32[33]) { %y = layer_norm(%x0, %x1) : f32[4,33] yield %y }");
  check_tactic(
      "onednn.layer_norm",
      "graph problem(%w0: f32[4,33], %x1: f32[33]) { %y = layer_norm(%w0, %x1) : f32[4,33] yield %y }");
}

TEST(OnednnLrn, AcrossChannels) {
  check_tactic("onednn.lrn", R"(graph problem(%x0: f32[2,20,5,7]) {
    %y = lrn(%x0) {alpha=0.1, beta=0.6, bias=2.0, size=5} : f32[2,20,5,7] yield %y })");
}

TEST(OnednnReformat, BetweenAnyTwo) {
  std::vector<std::vector<ir::Layout>> sets;
  for (ir::Layout from : {ir::Layout::plain, ir::Layout::nhwc, ir::Layout::c8, ir::Layout::c16})
    for (ir::Layout to : {ir::Layout::plain, ir::Layout::nhwc, ir::Layout::c8, ir::Layout::c16})
      sets.push_back({from, to});
  for (const char* type :
       {"f32[2,20,5,7]", "f32[1,32,9]", "f32[1,3,2,3,4]", "bf16[2,20,5,7]", "u8[1,17,3,3]"})
    check_tactic("onednn.reformat",
                 fmt::format("graph problem(%x0: {0}) {{ %y = reformat(%x0) : {0} yield %y }}", type),
                 {.layout_sets = sets});
}

}  // namespace
}  // namespace burnish::test
