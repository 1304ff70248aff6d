// A shared library made of object libraries needs a source of its own for some generators.
