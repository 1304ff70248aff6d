# cmake -DFILES="a.rules;b.rules" -DOUTPUT=rules_text.cpp -P embed_rules.cmake
# Writes a C++ file that holds each file's name and text, in order.
set(code "// Made from src/rules/*.rules by cmake/embed_rules.cmake.\n#include \"rules/library.h\"\n\n")
string(APPEND code "namespace burnish::rules {\n\nconst std::vector<RuleFile>& rule_files() {\n  static const std::vector<RuleFile> files = {\n")
foreach(file ${FILES})
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} text)
  string(APPEND code "      {\"${name}\", R\"rules(${text})rules\"},\n")
endforeach()
string(APPEND code "  };\n  return files;\n}\n\n}  // namespace burnish::rules\n")
file(WRITE ${OUTPUT} "${code}")
