// burnish explain: every fusion made or refused and every kernel chosen or refused, with the reason.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "command.h"
#include "engines.h"
#include "report.h"
#include "runtime/engine_state.h"

namespace burnish::tool {
namespace {

using json = nlohmann::ordered_json;
using Counts = std::vector<std::pair<std::string, int64_t>>;

/// What runs, by op: the ops inside regions and bodies, not those that only make weights.
void count_ops(const ir::Graph& graph, std::map<std::string, int64_t>& counts) {
  for (ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    if (plan::is_weight_node(graph, id)) continue;
    if (node.op->name != "region") ++counts[node.op->name];
    if (node.op->name != "region" && !plan::is_control(node)) continue;  // a user's op runs as a whole
    for (const auto& body : node.bodies) count_ops(*body, counts);
  }
}

/// The most frequent first.
Counts sorted(const std::map<std::string, int64_t>& counts) {
  Counts list(counts.begin(), counts.end());
  std::stable_sort(list.begin(), list.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return list;
}

Counts count_by(const json& entries, const char* key) {
  std::map<std::string, int64_t> counts;
  for (const json& entry : entries) ++counts[entry.at(key)];
  return sorted(counts);
}

std::string joined(const Counts& counts) {
  std::string text;
  for (const auto& [name, count] : counts)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name);
  return text.empty() ? "none" : text;
}

std::string time_text(const json& us) {
  return us.is_number() ? fmt::format("{:.1f} us", us.get<double>()) : "untimed";
}

std::string text_of(const json& entry, const char* key) { return entry.at(key).get<std::string>(); }

void print_summary(const json& record, const Counts& ops) {
  const json& device = record.at("device");
  double microseconds = 0;
  for (const json& kernel : record.at("kernels"))
    if (kernel.at("us").is_number()) microseconds += kernel.at("us").get<double>();
  fmt::print("{} for {} ({}, {} threads)\n", text_of(record, "model"), text_of(device, "name"),
             text_of(device, "arch"), device.at("threads").get<int>());
  fmt::print("ops        {}\n", joined(ops));
  fmt::print("rewrites   {}: {}\n", record.at("rewrites").size(),
             joined(count_by(record.at("rewrites"), "rule")));
  fmt::print("near miss  {}: {}\n", record.at("near_misses").size(),
             joined(count_by(record.at("near_misses"), "rule")));
  fmt::print("kernels    {}: {}\n", record.at("kernels").size(),
             joined(count_by(record.at("kernels"), "tactic")));
  if (microseconds > 0) fmt::print("time       {:.1f} us, the sum of what was timed\n", microseconds);
}

void print_rewrites(const json& record) {
  fmt::print("\nRewrites\n");
  for (const json& one : record.at("rewrites"))
    fmt::print("  {} at {}: {}\n", text_of(one, "rule"), text_of(one, "where"), text_of(one, "what"));
  fmt::print("\nNear misses: the pattern is there, but\n");
  for (const json& one : record.at("near_misses"))
    fmt::print("  {} at {}: {}\n", text_of(one, "rule"), text_of(one, "where"), text_of(one, "reason"));
}

void print_precision(const json& record) {
  if (record.at("precision").empty()) return;
  fmt::print("\nPrecision\n");
  for (const json& note : record.at("precision")) fmt::print("  {}\n", note.get<std::string>());
}

void print_regions(const json& record) {
  fmt::print("\nFused into one kernel\n");
  for (const json& kernel : record.at("kernels"))
    if (text_of(kernel, "op").find(", ") != std::string::npos)
      fmt::print("  {} at {}: {}\n", text_of(kernel, "op"), text_of(kernel, "node"),
                 time_text(kernel.at("us")));
  fmt::print("\nNot fused\n");
  for (const json& one : record.at("refused_regions"))
    fmt::print("  {} at {}: {}; {}\n", text_of(one, "ops"), text_of(one, "where"), time_text(one.at("us")),
               text_of(one, "reason"));
}

void print_alternatives(const json& kernel, const json& problem) {
  const auto chosen = [&](const json& way) {
    return way.at("tactic") == kernel.at("tactic") && way.at("candidate") == kernel.at("candidate");
  };
  for (const json& way : problem.at("alternatives")) {
    const std::string name = fmt::format("{} {}", text_of(way, "tactic"), text_of(way, "candidate"));
    if (way.contains("reason"))
      fmt::print("      {:32} refused: {}\n", name, text_of(way, "reason"));
    else
      fmt::print("    {} {:32} {}\n", chosen(way) ? '*' : ' ', name, time_text(way.at("us")));
  }
}

void print_kernels(const json& record) {
  fmt::print("\nKernels: * is the one taken\n");
  std::set<size_t> shown;
  for (const json& kernel : record.at("kernels")) {
    const size_t index = kernel.at("problem");
    const json& problem = record.at("problems").at(index);
    const std::string inside = text_of(kernel, "inside");
    fmt::print("  {} ({}){}: {} {}, {}\n", text_of(kernel, "node"), text_of(kernel, "op"),
               inside.empty() ? "" : fmt::format(" in the body of {}", inside), text_of(kernel, "tactic"),
               text_of(kernel, "candidate"), time_text(kernel.at("us")));
    if (!shown.insert(index).second) {
      fmt::print("      as above: the problem is the same\n");
      continue;
    }
    print_alternatives(kernel, problem);
    fmt::print("      problem {}\n", text_of(problem, "text"));
  }
}

int run(const std::string& path, const CommonOptions& common) {
  const Engine engine = open_engine(path, common);
  const json record = engine_record(engine);
  std::map<std::string, int64_t> ops;
  count_ops(*engine.state().program->graph, ops);
  return with_context([&] { return fmt::format("section 'record' of '{}'", path); },
                      [&] {
                        try {
                          if (!common.quiet) {
                            print_summary(record, sorted(ops));
                            print_rewrites(record);
                            print_precision(record);
                            print_regions(record);
                            print_kernels(record);
                          }
                          if (!common.json.empty()) {
                            json report = {{"ops", ops}, {"rules", json::object()}};
                            for (const auto& [rule, count] : count_by(record.at("rewrites"), "rule"))
                              report["rules"][rule] = count;
                            report.update(record);
                            write_report(common.json, report);
                          }
                          return 0;
                        } catch (const json::exception& error) {
                          fail("{}: build the engine again", error.what());
                        }
                      });
}

}  // namespace

Command add_explain(CLI::App& app) {
  CLI::App& command = *app.add_subcommand(
      "explain", "Every fusion made or refused and every kernel chosen or refused, with the reason");
  auto path = std::make_shared<std::string>();
  command.add_option("model", *path, "an .onnx or .burnish file")->required();
  command.footer(
      "\nExamples:\n  burnish explain bert.onnx --tune model | less\n  burnish explain bert.burnish --json "
      "why.json --quiet\n");
  auto common = add_common_options(command);
  return [path, common] { return run(*path, *common); };
}

}  // namespace burnish::tool
