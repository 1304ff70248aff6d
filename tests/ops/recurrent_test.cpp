#include "ops/recurrent.h"

#include "op_testing.h"
#include "ops/contraction.h"

namespace burnish::ops::testing {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double at(const Tensor& tensor, int64_t i) { return static_cast<double>(tensor.data<float>()[i]); }

/// One forward layer of `gates` gates on random data: x [4, 2, 3], hidden size 5.
struct Layer {
  static constexpr int64_t length = 4, batch = 2, input = 3, hidden = 5;
  int64_t gates;
  Tensor x, w, r, bias, h;

  Layer(int64_t count, unsigned seed) : gates(count) {
    std::mt19937 random(seed);
    x = random_tensor({length, batch, input}, random);
    w = random_tensor({1, gates * hidden, input}, random);
    r = random_tensor({1, gates * hidden, hidden}, random);
    bias = random_tensor({1, 2 * gates * hidden}, random);
    h = random_tensor({1, batch, hidden}, random);
  }
  /// x w of one gate and unit, with its bias.
  double from_input(int64_t t, int64_t b, int64_t gate, int64_t unit) const {
    double sum = at(bias, gate * hidden + unit);
    for (int64_t i = 0; i < input; ++i)
      sum += at(x, (t * batch + b) * input + i) * at(w, (gate * hidden + unit) * input + i);
    return sum;
  }
  /// h r of one gate and unit, with its bias.
  double from_state(const std::vector<double>& state, int64_t gate, int64_t unit) const {
    double sum = at(bias, (gates + gate) * hidden + unit);
    for (int64_t i = 0; i < hidden; ++i)
      sum += state[static_cast<size_t>(i)] * at(r, (gate * hidden + unit) * hidden + i);
    return sum;
  }
  std::vector<double> initial(int64_t b) const {
    std::vector<double> state;
    for (int64_t i = 0; i < hidden; ++i) state.push_back(at(h, b * hidden + i));
    return state;
  }
  /// All outputs [length, 1, batch, hidden], where next(t, b, state) makes a new state.
  template <class Next>
  std::vector<double> unroll(const Next& next) const {
    std::vector<double> y(static_cast<size_t>(length * batch * hidden));
    for (int64_t b = 0; b < batch; ++b) {
      std::vector<double> state = initial(b);
      for (int64_t t = 0; t < length; ++t) {
        state = next(t, b, state);
        std::copy(state.begin(), state.end(), y.begin() + (t * batch + b) * hidden);
      }
    }
    return y;
  }
};

TEST(Rnn, AppliesItsActivation) {
  const Layer layer(1, 1);
  const auto expected = layer.unroll([&](int64_t t, int64_t b, const std::vector<double>& state) {
    std::vector<double> next;
    for (int64_t i = 0; i < Layer::hidden; ++i)
      next.push_back(std::tanh(layer.from_input(t, b, 0, i) + layer.from_state(state, 0, i)));
    return next;
  });
  const auto made = run_all(def::rnn, ir::Attributes(RnnAttributes{}),
                            {layer.x, layer.w, layer.r, layer.bias, {}, layer.h}, 2);
  expect_close(made[0], {4, 1, 2, 5}, expected);
  expect_close(made[1], {1, 2, 5}, {expected.end() - 10, expected.end()});
  EXPECT_THROW(run(def::rnn, RnnAttributes{{"forward", {"Sine"}}}, {layer.x, layer.w, layer.r}), Error);
  EXPECT_THROW(run(def::rnn, RnnAttributes{{"sideways"}}, {layer.x, layer.w, layer.r}), Error);
  EXPECT_THROW(run(def::rnn, RnnAttributes{}, {layer.x, layer.r, layer.w}), Error);
}

TEST(Gru, ResetsBeforeOrAfterTheProduct) {
  const Layer layer(3, 2);
  for (bool after : {false, true}) {
    const auto expected = layer.unroll([&](int64_t t, int64_t b, const std::vector<double>& state) {
      const auto gate = [&](int64_t g, int64_t i) {
        return sigmoid(layer.from_input(t, b, g, i) + layer.from_state(state, g, i));
      };
      std::vector<double> reset = state, next;
      for (size_t i = 0; i < reset.size(); ++i) reset[i] *= gate(1, static_cast<int64_t>(i));
      for (int64_t i = 0; i < Layer::hidden; ++i) {
        const double recurrent =
            after ? gate(1, i) * layer.from_state(state, 2, i) : layer.from_state(reset, 2, i);
        next.push_back((1 - gate(0, i)) * std::tanh(layer.from_input(t, b, 2, i) + recurrent) +
                       gate(0, i) * state[static_cast<size_t>(i)]);
      }
      return next;
    });
    GruAttributes attributes;
    attributes.linear_before_reset = after;
    expect_close(run(def::gru, attributes, {layer.x, layer.w, layer.r, layer.bias, {}, layer.h}),
                 {4, 1, 2, 5}, expected);
  }
}

TEST(Lstm, KeepsACell) {
  const Layer layer(4, 3);
  std::mt19937 random(4);
  const Tensor c = random_tensor({1, 2, 5}, random), peepholes = random_tensor({1, 15}, random);
  std::vector<std::vector<double>> cells(2);
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t i = 0; i < 5; ++i) cells[static_cast<size_t>(b)].push_back(at(c, b * 5 + i));
  const auto expected = layer.unroll([&](int64_t t, int64_t b, const std::vector<double>& state) {
    std::vector<double> next;
    for (int64_t i = 0; i < Layer::hidden; ++i) {
      double& cell = cells[static_cast<size_t>(b)][static_cast<size_t>(i)];
      const auto gate = [&](int64_t g) {
        return layer.from_input(t, b, g, i) + layer.from_state(state, g, i);
      };
      const double in = sigmoid(gate(0) + at(peepholes, i) * cell),
                   forget = sigmoid(gate(2) + at(peepholes, 10 + i) * cell);
      cell = forget * cell + in * std::tanh(gate(3));
      next.push_back(sigmoid(gate(1) + at(peepholes, 5 + i) * cell) * std::tanh(cell));
    }
    return next;
  });
  const auto made = run_all(def::lstm, ir::Attributes(LstmAttributes{}),
                            {layer.x, layer.w, layer.r, layer.bias, {}, layer.h, c, peepholes}, 3);
  expect_close(made[0], {4, 1, 2, 5}, expected);
  std::vector<double> last = cells[0];
  last.insert(last.end(), cells[1].begin(), cells[1].end());
  expect_close(made[2], {1, 2, 5}, last);
}

/// Backwards is forwards on the reversed sequence; with lengths each sequence ends where it says.
TEST(Recurrent, RunsBackwardsAndStopsAtEachSequencesEnd) {
  const Layer layer(4, 5);
  const auto with = [&](const char* direction, const Tensor& x, const Tensor& lengths) {
    LstmAttributes attributes;
    attributes.direction = direction;
    return run_all(def::lstm, ir::Attributes(attributes), {x, layer.w, layer.r, layer.bias, lengths}, 2);
  };
  const Tensor lengths = Tensor::of<int32_t>({2}, {4, 2});
  Tensor turned = layer.x.clone();
  const int64_t row = Layer::input;
  const auto copy = [&](int64_t from, int64_t to, int64_t b) {
    std::copy_n(layer.x.data<float>() + (from * 2 + b) * row, row, turned.data<float>() + (to * 2 + b) * row);
  };
  for (int64_t t = 0; t < 4; ++t) copy(t, 3 - t, 0);
  for (int64_t t = 0; t < 2; ++t) copy(t, 1 - t, 1);
  const auto backward = with("reverse", layer.x, lengths), forward = with("forward", turned, lengths);
  expect_close(backward[1], {1, 2, 5}, numbers_of(forward[1]));
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(backward[0].data<float>()[(3 * 2 + 1) * 5 + i], 0.0f);
    EXPECT_FLOAT_EQ(backward[0].data<float>()[(0 * 2 + 1) * 5 + i],
                    forward[0].data<float>()[(1 * 2 + 1) * 5 + i]);
  }
  EXPECT_THROW(with("forward", layer.x, Tensor::of<int32_t>({2}, {5, 1})), Error);
}

}  // namespace
}  // namespace burnish::ops::testing
