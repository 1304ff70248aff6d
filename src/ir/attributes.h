// A node's attributes: any struct with one visit(), behind one value type.
#pragma once

#include <burnish/dtype.h>

#include <cassert>
#include <memory>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

namespace burnish::ir {

/// What an attribute struct shows to whoever prints, parses, compares or imports it. A struct says
///   void visit(auto&& v) { v("axis", axis); v("keepdims", keepdims); }
/// and its members have one of these types, each with its default as initialiser.
class AttributeVisitor {
 public:
  virtual ~AttributeVisitor() = default;
  virtual void operator()(std::string_view name, int64_t& value) = 0;
  virtual void operator()(std::string_view name, double& value) = 0;
  virtual void operator()(std::string_view name, bool& value) = 0;
  virtual void operator()(std::string_view name, std::string& value) = 0;
  virtual void operator()(std::string_view name, DType& value) = 0;
  virtual void operator()(std::string_view name, std::vector<int64_t>& value) = 0;
  virtual void operator()(std::string_view name, std::vector<double>& value) = 0;
  virtual void operator()(std::string_view name, std::vector<std::string>& value) = 0;
};

struct NoAttributes {
  void visit(auto&&) {}
};

/// One attribute struct of any type. Copies share the struct; edit() makes it its own first.
class Attributes {
 public:
  Attributes() : Attributes(NoAttributes{}) {}
  template <class T>
    requires requires(T& value, AttributeVisitor& visitor) { value.visit(visitor); }
  explicit Attributes(T value) : holder_(std::make_shared<Holder<T>>(std::move(value))) {}

  template <class T>
  const T& as() const {
    assert(typeid(*holder_) == typeid(Holder<T>) && "attributes of another op");
    return static_cast<const Holder<T>&>(*holder_).value;
  }
  template <class T>
  T& edit() {
    assert(typeid(*holder_) == typeid(Holder<T>) && "attributes of another op");
    if (holder_.use_count() > 1) holder_ = holder_->clone();
    return static_cast<Holder<T>&>(*holder_).value;
  }
  template <class T>
  bool holds() const {
    return typeid(*holder_) == typeid(Holder<T>);
  }

  /// Shows every attribute, in the struct's order. visit() may change them, inspect() must not.
  void visit(AttributeVisitor& visitor) {
    if (holder_.use_count() > 1) holder_ = holder_->clone();
    holder_->visit(visitor);
  }
  void inspect(AttributeVisitor& visitor) const { holder_->visit(visitor); }

  /// "{axis=1, pads=[1,1]}" with defaults left out; empty when all are defaults.
  std::string str() const;
  friend bool operator==(const Attributes& a, const Attributes& b) {
    return a.holder_ == b.holder_ || (typeid(*a.holder_) == typeid(*b.holder_) && a.str() == b.str());
  }

 private:
  struct HolderBase {
    virtual ~HolderBase() = default;
    virtual std::shared_ptr<HolderBase> clone() const = 0;
    virtual std::shared_ptr<HolderBase> defaults() const = 0;
    virtual void visit(AttributeVisitor& visitor) = 0;
  };
  template <class T>
  struct Holder final : HolderBase {
    explicit Holder(T v) : value(std::move(v)) {}
    std::shared_ptr<HolderBase> clone() const override { return std::make_shared<Holder>(value); }
    std::shared_ptr<HolderBase> defaults() const override { return std::make_shared<Holder>(T{}); }
    void visit(AttributeVisitor& visitor) override { value.visit(visitor); }
    T value;
  };
  std::shared_ptr<HolderBase> holder_;
};

/// Shortest text that parses back to the same double; "inf", "-inf", "nan".
std::string number_text(double value);
/// A string in double quotes, with \" \\ \n and \xNN escapes.
std::string quoted(std::string_view text);

}  // namespace burnish::ir
