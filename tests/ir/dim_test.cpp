// Symbolic dimensions: forms that are equal compare equal.
#include <burnish/error.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "ir/agreement.h"
#include "ir/dim.h"

namespace burnish {
namespace {

using ir::broadcast;
using ir::Dim;

TEST(Dim, BroadcastingIsAssociativeCommutativeAndIdempotent) {
  const Dim a = Dim::symbol("a"), b = Dim::symbol("b"), c = Dim::symbol("c") + 1;
  const Dim all = broadcast(a, broadcast(b, c));
  EXPECT_EQ(broadcast(broadcast(c, a), b), all);
  EXPECT_EQ(broadcast(all, broadcast(b, a)), all);
  EXPECT_EQ(broadcast(all, all), all);
  EXPECT_EQ(Dim::parse(all.str()), all);
  EXPECT_EQ(all.evaluate({{"a", 1}, {"b", 5}, {"c", 0}}), 5);
  EXPECT_THROW(all.evaluate({{"a", 2}, {"b", 5}, {"c", 0}}), Error);
}

TEST(Dim, GuessedSizesAreMadeToAgree) {
  const Dim parts = Dim::parse("a + b + c"), whole = Dim::parse("2*n");
  const Dim both = broadcast(parts, whole), nested = broadcast(Dim::parse("3*d - 1"), both * 2 + 1);
  ir::Bindings sizes = {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}, {"n", 22}};
  EXPECT_THROW(nested.evaluate(sizes), Error);
  ir::make_agree({nested, both}, {"a", "b", "c", "d"}, sizes);
  EXPECT_EQ(both.evaluate(sizes), 44);
  EXPECT_EQ(nested.evaluate(sizes), 89);
  EXPECT_EQ(sizes.at("n"), 22);
  ir::Bindings odd = {{"a", 1}, {"n", 22}};  // no whole number will do
  ir::make_agree({broadcast(Dim::parse("3*a"), whole)}, {"a"}, odd);
  EXPECT_EQ(odd.at("a"), 1);
}

TEST(Dim, AQuotientWithoutItsRemainderIsThatOfAll) {
  const Dim a = Dim::symbol("n") * 3 - 1, whole = a - mod(a, 32);
  EXPECT_EQ(floor_div(whole, 32), floor_div(a, 32));
  EXPECT_EQ(ceil_div(whole, 32), floor_div(a, 32));
  EXPECT_EQ(mod(whole, 32), Dim(0));
  EXPECT_NE(floor_div(whole, 16), floor_div(a, 16));
  EXPECT_NE(floor_div(whole + 1, 32), floor_div(a, 32));
}

TEST(Dim, RangesDecideLeastAndGreatest) {
  const ir::SymbolRanges ranges = {{"n", {8, 128, 512}}, {"m", {1, 1, -1}}};
  const std::map<std::string, std::string> expected = {
      {"min(512, n)", "n"},
      {"min(511, n)", "min(511, n)"},
      {"max(8, n)", "n"},
      {"max(9, n)", "max(9, n)"},
      {"min(n, m + 511)", "n"},
      {"min(n, m)", "min(m, n)"},
      {"max(0, n - 8) + 2*min(3, n)", "n - 2"},
      {"min(floor_div(n - 1, 2), 256)", "floor_div(n - 1, 2)"},
      {"min(ceil_div(n, 16), 31)", "min(31, ceil_div(n, 16))"},
      {"min(mod(m, 7), 6)", "mod(m, 7)"},
      {"floor_div(max(n, 600 - n), 2)", "floor_div(max(-n + 600, n), 2)"},
      {"min(600, max(n, 513))", "513"},
      {"min(n, unknown)", "min(n, unknown)"},
  };
  for (const auto& [text, within] : expected) EXPECT_EQ(Dim::parse(text).within(ranges), Dim::parse(within)) << text;
}

/// Whatever the expression, it has the same value everywhere in the ranges.
TEST(Dim, RangesChangeNoValue) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  const auto number = [&](int64_t least, int64_t most) { return std::uniform_int_distribution<int64_t>(least, most)(random); };
  int simpler = 0;
  for (int round = 0; round < 2000; ++round) {
    ir::SymbolRanges ranges;
    std::vector<Dim> parts = {Dim(number(0, 40)), Dim(number(1, 9))};
    for (const char* name : {"a", "b", "c"}) {
      const int64_t least = number(0, 20);
      ranges[name] = {least, least, least + number(0, 30)};
      parts.push_back(Dim::symbol(name));
    }
    for (int step = 0; step < 5; ++step) {
      const auto any = [&] { return parts[static_cast<size_t>(number(0, static_cast<int64_t>(parts.size()) - 1))]; };
      const auto function = static_cast<size_t>(number(0, 9));
      const Dim x = any(), y = any();
      if (function < 4)
        parts.push_back((function < 2 ? ir::min : ir::max)(x, y));
      else if (function < 7)
        parts.push_back((function == 4 ? ir::floor_div : function == 5 ? ir::ceil_div : ir::mod)(x, Dim(number(1, 9))));
      else
        parts.push_back(function == 7 ? x + y : function == 8 ? x - y : x * number(1, 3));
    }
    const Dim dim = parts.back(), within = dim.within(ranges);
    simpler += !(dim == within);
    for (int point = 0; point < 10; ++point) {
      ir::Bindings at;
      for (const auto& [name, range] : ranges) at[name] = point == 0 ? range.min : point == 1 ? range.max : number(range.min, range.max);
      ASSERT_EQ(within.evaluate(at), dim.evaluate(at)) << dim.str() << " became " << within.str();
    }
  }
  EXPECT_GT(simpler, 100);
}

TEST(Dim, WhatCannotBeWrittenOverflows) {
  // -2^63 has no positive counterpart, which "n - 9223372036854775808" would need to be read again.
  constexpr int64_t least = std::numeric_limits<int64_t>::min();
  const Dim n = Dim::symbol("n");
  EXPECT_THROW(n + least, Error);
  EXPECT_THROW(n * least, Error);
  for (const Dim& dim : {n + (least + 1), n * (least + 1), Dim::symbol("a") + n * (least + 1)})
    EXPECT_EQ(Dim::parse(dim.str()), dim);
}

Dim random_polynomial(std::mt19937& random) {
  const Dim atoms[] = {Dim::symbol("h"), Dim::symbol("w"), floor_div(Dim::symbol("h") - 1, 2)};
  Dim sum = static_cast<int64_t>(random() % 5) - 2;
  for (int terms = 1 + static_cast<int>(random() % 3); terms > 0; --terms) {
    Dim term = static_cast<int64_t>(random() % 7) - 3;
    for (int factors = 1 + static_cast<int>(random() % 2); factors > 0; --factors) term = term * atoms[random() % 3];
    sum = sum + term;
  }
  return sum;
}

TEST(Dim, SumsThatDivideAreDivided) {
  // A detector's anchors: for each of two levels' pixels three boxes of four numbers, asked for their numbers a box.
  const Dim pixels = Dim::parse("h*w + h + w + 1 + floor_div(h, 2)*floor_div(w, 2)");
  EXPECT_EQ(floor_div(pixels * 12, pixels * 3), Dim(4));
  EXPECT_EQ(mod(pixels * 12, pixels), Dim(0));
  EXPECT_EQ(floor_div(pixels * 12, pixels * 5).evaluate({{"h", 3}, {"w", 4}}), 2);
  for (uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const Dim a = random_polynomial(random), rest = random_polynomial(random);
    const Dim b = random_polynomial(random) + Dim::symbol("c");
    const ir::Bindings sizes = {{"c", 1}, {"h", 7}, {"w", 4}};
    if (const int64_t by = b.evaluate(sizes); by != 0) {
      EXPECT_EQ(floor_div(a * b, b).evaluate(sizes), a.evaluate(sizes)) << "seed " << seed;
      const int64_t whole = (a * b + rest).evaluate(sizes);
      EXPECT_EQ(floor_div(a * b + rest, b).evaluate(sizes), whole / by - (whole % by != 0 && (whole < 0) != (by < 0)))
          << "seed " << seed;
    }
    EXPECT_EQ(floor_div(a * b, b), a) << "seed " << seed;
  }
}

TEST(Dim, AChainOfResidualsStaysSmall) {
  // As attention masks of unknown length are added layer after layer.
  const Dim n = Dim::symbol("n"), m = Dim::symbol("m");
  Dim x = broadcast(n, m);
  for (int layer = 0; layer < 100; ++layer) x = broadcast(x, broadcast(n, x));
  EXPECT_EQ(x, broadcast(n, m));
}

TEST(Dim, SizesThatOverflowAreErrors) {
  constexpr int64_t least = std::numeric_limits<int64_t>::min();
  for (const char* text : {"ceil_div(n, 3)", "floor_div(n, -1)", "n - 1", "2*n"})
    EXPECT_THROW(Dim::parse(text).evaluate({{"n", least}}), Error) << text;
}

}  // namespace
}  // namespace burnish
