// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Groth16} from "../../src/libraries/Groth16.sol";

/// @notice A setup whose secrets everybody knows, so that a test proves any statement at any address and time: beta 3, gamma 1,
/// delta 11, alpha 5, IC[i] = 100 + i. Keys and proofs made here satisfy the same equation as real ones; real ones, made by
/// snarkjs, are checked against the same verifier in the end-to-end tests.
library ToyGroth16 {
    uint256 internal constant ALPHA = 5;
    uint256 internal constant BETA = 3;
    uint256 internal constant DELTA = 11;
    uint256 internal constant B = 13;
    uint256 internal constant FIRST_IC = 100;

    uint256 private constant R = Groth16.R;

    function key(uint256 signals) internal view returns (bytes memory) {
        return keyWith(signals, ALPHA, g2(BETA), g2(1), g2(DELTA));
    }

    function keyWith(uint256 signals, uint256 alpha, bytes memory beta, bytes memory gamma, bytes memory delta)
        internal
        view
        returns (bytes memory words)
    {
        words = abi.encodePacked(g1(alpha), beta, gamma, delta);
        for (uint256 i = 0; i <= signals; ++i) {
            words = abi.encodePacked(words, g1(FIRST_IC + i));
        }
    }

    /// @notice A proof of anything: C is solved for. Different `a` give different proofs of one statement.
    function prove(uint256[] memory signals, uint256 a) internal view returns (bytes memory) {
        uint256 sum = FIRST_IC;
        for (uint256 i = 0; i < signals.length; ++i) {
            sum = addmod(sum, mulmod(signals[i], FIRST_IC + i + 1, R), R);
        }
        uint256 rest = addmod(mulmod(a, B, R), R - mulmod(ALPHA, BETA, R), R);
        rest = addmod(rest, R - sum, R);
        return abi.encodePacked(g1(a), g2(B), g1(mulmod(rest, inverse(DELTA), R)));
    }

    function g1(uint256 scalar) internal view returns (bytes memory) {
        (bool success, bytes memory point) = address(7).staticcall(abi.encode(uint256(1), uint256(2), scalar));
        require(success);
        return point;
    }

    /// @notice Known multiples of the generator of G2, in the order of EIP-197.
    function g2(uint256 scalar) internal pure returns (bytes memory) {
        if (scalar == 1) {
            return abi.encode(
                11_559_732_032_986_387_107_991_004_021_392_285_783_925_812_861_821_192_530_917_403_151_452_391_805_634,
                10_857_046_999_023_057_135_944_570_762_232_829_481_370_756_359_578_518_086_990_519_993_285_655_852_781,
                4_082_367_875_863_433_681_332_203_403_145_435_568_316_851_327_593_401_208_105_741_076_214_120_093_531,
                8_495_653_923_123_431_417_604_973_247_489_272_438_418_190_587_263_600_148_770_280_649_306_958_101_930
            );
        }
        if (scalar == 3) {
            return abi.encode(
                7_273_165_102_799_931_111_715_871_471_550_377_909_735_733_521_218_303_035_754_523_677_688_038_059_653,
                2_725_019_753_478_801_796_453_339_367_788_033_689_375_851_816_420_509_565_303_521_482_350_756_874_229,
                957_874_124_722_006_818_841_961_785_324_909_313_781_880_061_366_718_538_693_995_380_805_373_202_866,
                2_512_659_008_974_376_214_222_774_206_987_427_162_027_254_181_373_325_676_825_515_531_566_330_959_255
            );
        }
        if (scalar == 11) {
            return abi.encode(
                15_624_790_064_206_502_667_756_020_446_826_209_080_711_344_272_800_176_518_784_649_088_946_231_692_936,
                8_472_151_341_754_925_747_860_535_367_990_505_955_708_751_825_377_817_860_727_104_273_184_244_800_723,
                19_488_077_321_171_448_217_727_198_730_828_487_286_865_984_357_780_136_663_388_739_985_720_647_978_898,
                1_196_137_947_243_150_610_106_053_819_405_501_111_182_787_323_156_221_967_342_356_892_090_037_828_244
            );
        }
        require(scalar == 13);
        return abi.encode(
            280_672_898_440_571_232_725_436_467_950_720_547_829_638_241_593_507_531_241_322_547_969_961_007_057,
            16_137_324_789_686_743_234_629_608_741_537_369_181_251_990_815_455_155_257_427_276_976_918_350_071_287,
            17_641_806_683_785_498_955_878_869_918_183_868_440_783_188_556_637_975_525_088_932_771_694_068_429_840,
            12_136_420_650_226_457_477_690_750_437_223_209_427_924_916_790_606_163_705_631_661_913_973_995_426_040
        );
    }

    function inverse(uint256 value) internal view returns (uint256 result) {
        (bool success, bytes memory data) =
            address(5).staticcall(abi.encode(uint256(32), uint256(32), uint256(32), value, R - 2, R));
        require(success);
        return abi.decode(data, (uint256));
    }
}
