"""What a compiled library says about itself, and what the module beside it asks before it calls anything else.

Reads the name of a cell and the texts that its interface depends on; returns their digest and the context of
`templates/c/abi.c.jinja`, the library's side; the module's is `templates/c/loader.py`. Leaves out: the surface of either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Feature:
    """One extension of a processor that a compiler may use by itself.

    Attributes:
        macro: defined by the compiler, as 1, when it uses the extension.
        word: local of the emitted C that holds the word of ``cpuid``, on x86: leaf 1 ``c1``, leaf 7 ``b7 c7 d7``, leaf
            7.1 ``a71``, leaf 0x80000001 ``cx``; on AArch64 that of Linux's auxiliary vector, ``hwcap`` or ``hwcap2``.
        bit: in that word.
    """

    macro: str
    word: str
    bit: int


FEATURES = (
    Feature("__SSE3__", "c1", 0),
    Feature("__SSSE3__", "c1", 9),
    Feature("__FMA__", "c1", 12),
    Feature("__SSE4_1__", "c1", 19),
    Feature("__SSE4_2__", "c1", 20),
    Feature("__MOVBE__", "c1", 22),
    Feature("__POPCNT__", "c1", 23),
    Feature("__AVX__", "c1", 28),
    Feature("__F16C__", "c1", 29),
    Feature("__LZCNT__", "cx", 5),
    Feature("__SSE4A__", "cx", 6),
    Feature("__XOP__", "cx", 11),
    Feature("__FMA4__", "cx", 16),
    Feature("__TBM__", "cx", 21),
    Feature("__BMI__", "b7", 3),
    Feature("__AVX2__", "b7", 5),
    Feature("__BMI2__", "b7", 8),
    Feature("__AVX512F__", "b7", 16),
    Feature("__AVX512DQ__", "b7", 17),
    Feature("__ADX__", "b7", 19),
    Feature("__AVX512IFMA__", "b7", 21),
    Feature("__AVX512CD__", "b7", 28),
    Feature("__AVX512BW__", "b7", 30),
    Feature("__AVX512VL__", "b7", 31),
    Feature("__AVX512VBMI__", "c7", 1),
    Feature("__AVX512VBMI2__", "c7", 6),
    Feature("__GFNI__", "c7", 8),
    Feature("__AVX512VNNI__", "c7", 11),
    Feature("__AVX512BITALG__", "c7", 12),
    Feature("__AVX512VPOPCNTDQ__", "c7", 14),
    Feature("__AVX512FP16__", "d7", 23),
    Feature("__AVXVNNI__", "a71", 4),
    Feature("__AVX512BF16__", "a71", 5),
    Feature("__AVXIFMA__", "a71", 23),
)
"""Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, CPUID; AMD64 Architecture
Programmer's Manual, volume 3, appendix E. Only what a compiler may choose for plain C is listed."""


ARM_FEATURES = (
    Feature("__ARM_FEATURE_CRC32", "hwcap", 7),
    Feature("__ARM_FEATURE_ATOMICS", "hwcap", 8),
    Feature("__ARM_FEATURE_FP16_VECTOR_ARITHMETIC", "hwcap", 10),
    Feature("__ARM_FEATURE_QRDMX", "hwcap", 12),
    Feature("__ARM_FEATURE_JCVT", "hwcap", 13),
    Feature("__ARM_FEATURE_COMPLEX", "hwcap", 14),
    Feature("__ARM_FEATURE_RCPC", "hwcap", 15),
    Feature("__ARM_FEATURE_DOTPROD", "hwcap", 20),
    Feature("__ARM_FEATURE_SVE", "hwcap", 22),
    Feature("__ARM_FEATURE_FP16_FML", "hwcap", 23),
    Feature("__ARM_FEATURE_SVE2", "hwcap2", 1),
    Feature("__ARM_FEATURE_FRINT", "hwcap2", 8),
    Feature("__ARM_FEATURE_MATMUL_INT8", "hwcap2", 13),
    Feature("__ARM_FEATURE_BF16", "hwcap2", 14),
)
"""Source: Arm C Language Extensions; Linux, arch/arm64/include/uapi/asm/hwcap.h. Other systems tell nothing of the kind."""

_EXPECTED: re.Pattern[str] = re.compile(r'^_ABI = b"([0-9a-f]+)"$', re.MULTILINE)


def expected_digest(module: str) -> str:
    """The digest that a library must repeat to the generated module whose text is given.

    >>> expected_digest('_ABI = b"00ff"')
    '00ff'
    """
    (found,) = _EXPECTED.findall(module)
    return str(found)


@dataclass(frozen=True)
class AbiContext:
    """What the C side is given.

    Attributes:
        name: prefix of the file's functions.
        digest: what ``name_abi()`` returns.
        features: what ``name_cpu_supported()`` looks for on x86, where the file was compiled to use it.
        arm_features: the same on AArch64.
    """

    name: str
    digest: str
    features: tuple[Feature, ...] = FEATURES
    arm_features: tuple[Feature, ...] = ARM_FEATURES
