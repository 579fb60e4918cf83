"""OpenD's words decide what an answer means; what no word is known for keeps all that was said."""

from __future__ import annotations

import pytest

from foxtrot.adapter.futu.errors import error_of, no_handshake, not_connected
from foxtrot.adapter.futu.schema import Proto
from foxtrot.errors import (
    AuthenticationError,
    ConnectError,
    ConnectionClosed,
    PermissionDenied,
    RateLimited,
    SubscriptionRefused,
    UnknownSymbol,
    VenueError,
    VenueUnavailable,
)


@pytest.mark.parametrize(
    ("proto", "text", "kind"),
    [
        (Proto.Trd_PlaceOrder, "下单频率太高，请求失败，每30秒最多15次", RateLimited),
        (Proto.Qot_RequestHistoryKL, "获取历史K线频率太高，每30秒最多60次。", RateLimited),
        (Proto.Qot_Sub, "订阅额度不足，订阅失败，已用订阅额度：1000/1000", SubscriptionRefused),
        (Proto.Qot_Sub, "HK.00002的KL_Day订阅时间过短，至少需要订阅1分钟", VenueUnavailable),
        (Proto.Qot_RequestHistoryKL, "历史K线额度不足，请求失败", PermissionDenied),
        (Proto.Qot_GetStaticInfo, "未知股票 NOPE", UnknownSymbol),
        (Proto.Trd_UnlockTrade, "anything at all", AuthenticationError),
        (Proto.Trd_UnlockTrade, "解锁失败，网络超时，交易密码未验证", AuthenticationError),
        (Proto.Trd_UnlockTrade, "交易服务器未登录", VenueUnavailable),
        (Proto.Trd_UnlockTrade, "Unlock failed: network timeout", VenueUnavailable),
        (Proto.Trd_UnlockTrade, "GUI版本OpenD已屏蔽解锁接口", PermissionDenied),
        (Proto.Trd_UnlockTrade, "OpenD has disabled the unlock interface", PermissionDenied),
        (Proto.Trd_PlaceOrder, "请先解锁交易", PermissionDenied),
        (Proto.Trd_GetOrderFillList, "模拟交易不支持成交数据", PermissionDenied),
        (Proto.Trd_GetOrderFillList, "Simulated trade does not support deals", PermissionDenied),
        (Proto.Qot_GetSecuritySnapshot, "没有行情权限", PermissionDenied),
        (Proto.Qot_Sub, "没有行情权限", SubscriptionRefused),
        (Proto.Qot_Sub, "行情服务器未登录", VenueUnavailable),
        (Proto.Trd_PlaceOrder, "购买力不足", VenueError),
        (Proto.Trd_PlaceOrder, "可用额度不足", VenueError),
    ],
)  # fmt: skip
def test_the_words_decide(proto: Proto, text: str, kind: type[VenueError]) -> None:
    """Texts that OpenD is known to say, and what foxtrot makes of each."""
    error = error_of("FUTU", proto, -1, 0, text)
    assert type(error) is kind
    assert text in str(error)


@pytest.mark.parametrize(
    ("proto", "text", "advice"),
    [
        (Proto.Qot_Sub, "订阅额度不足", "foxtrot futu quota"),
        (Proto.Qot_RequestHistoryKL, "历史K线额度不足", "foxtrot futu quota"),
        (Proto.Trd_UnlockTrade, "交易密码错误", "it is the trade password"),
        (Proto.Trd_PlaceOrder, "请先解锁交易", "set `password`, or unlock trading"),
    ],
)
def test_what_a_person_can_mend_comes_with_advice(proto: Proto, text: str, advice: str) -> None:
    """OpenD's words are kept, in its language; what to do follows them."""
    error = error_of("FUTU", proto, -1, 0, text)
    assert error.text.startswith(f"{text}; ")
    assert advice in error.text


@pytest.mark.parametrize("ret_type", [-100, -200, -400])
def test_an_answer_that_knows_nothing_refuses_nothing(ret_type: int) -> None:
    """Futu's servers did not answer OpenD: whatever the words, that is no refusal."""
    error = error_of("FUTU", Proto.Trd_PlaceOrder, ret_type, 0, "下单频率太高")
    assert type(error) is VenueUnavailable


def test_a_limit_says_when_to_come_again() -> None:
    """OpenD counts in 30 seconds; its code is kept if it gives one."""
    error = error_of("FUTU", Proto.Trd_PlaceOrder, -1, 1003, "下单频率太高")
    assert isinstance(error, RateLimited)
    assert (error.retry_after_s, error.code) == (30.0, "1003")


def test_a_refusal_without_words_has_its_number() -> None:
    """An empty answer is still told with its retType."""
    error = error_of("FUTU", Proto.Qot_Sub, -1, 0, "")
    assert "without a word" in str(error)
    assert error.code == "-1"


@pytest.mark.parametrize(
    ("told", "said"),
    [("ECONNREFUSED", "is OpenD running"), ("EHOSTUNREACH", "cannot be reached"), ("", "failed")],
)
def test_a_failed_attempt_is_told_in_words(told: str, said: str) -> None:
    """The system's name of an error becomes what to look at."""
    error = not_connected("127.0.0.1:11111", told)
    assert said in str(error)
    assert "127.0.0.1:11111" in str(error)


def test_a_handshake_that_ends_names_the_key() -> None:
    """The usual cause of a line that ends during the handshake is a key too many or too few."""
    error = no_handshake("127.0.0.1:11111", ConnectionClosed(1006, "closed"))
    assert type(error) is ConnectError
    assert "rsa_key_file" in str(error)
