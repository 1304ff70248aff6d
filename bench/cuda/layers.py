"""Prints the problems of ResNet-50's convolutions and a transformer's products, one a line, for time_problems."""

import argparse


def conv(n: int, size: int, channels: int, filters: int, kernel: int, stride: int, residual: bool = False, source: str = " nhwc") -> str:
    out = (size + 2 * (kernel // 2) - kernel) // stride + 1
    y = f"f16[{n},{filters},{out},{out}]"
    pad = kernel // 2
    inputs = f"%x0: f16[{n},{channels},{size},{size}]{source}, %w1: f16[{filters},{channels},{kernel},{kernel}], %w2: f16[{filters}]"
    text = f"%v0 = conv(%x0, %w1, %w2) {{strides=[{stride},{stride}], pads=[{pad},{pad},{pad},{pad}]}} : {y} "
    if residual:
        inputs += f", %x3: {y} nhwc"
        text += f"%v1 = add(%v0, %x3) : {y} "
    last = "%v1" if residual else "%v0"
    return f"graph problem({inputs}) {{ {text}%v2 = relu({last}) : {y} nhwc yield %v2 }}"


def product(rows: int, inner: int, columns: int, gelu: bool) -> str:
    y = f"f16[{rows},{columns}]"
    text = f"%v0 = matmul(%x0, %w1) : {y} %v1 = add(%v0, %w2) : {y} "
    if gelu:
        text += f"%v2 = gelu(%v1) : {y} "
    return f"graph problem(%x0: f16[{rows},{inner}], %w1: f16[{inner},{columns}], %w2: f16[{columns}]) {{ {text}yield {'%v2' if gelu else '%v1'} }}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rows", type=int, default=128)
    options = parser.parse_args()
    n = options.batch
    for problem in (
        conv(n, 224, 3, 64, 7, 2, source=""),
        conv(n, 56, 64, 64, 1, 1), conv(n, 56, 64, 64, 3, 1), conv(n, 56, 64, 256, 1, 1, True), conv(n, 56, 256, 64, 1, 1),
        conv(n, 28, 128, 128, 3, 1), conv(n, 28, 128, 512, 1, 1, True), conv(n, 28, 512, 128, 1, 1),
        conv(n, 14, 256, 256, 3, 1), conv(n, 14, 256, 1024, 1, 1, True), conv(n, 14, 1024, 256, 1, 1),
        conv(n, 14, 512, 512, 3, 2), conv(n, 7, 512, 512, 3, 1), conv(n, 7, 512, 2048, 1, 1, True), conv(n, 7, 2048, 512, 1, 1),
        product(options.rows, 768, 2304, False), product(options.rows, 768, 768, False),
        product(options.rows, 768, 3072, True), product(options.rows, 3072, 768, False),
    ):
        print(problem)


if __name__ == "__main__":
    main()
