"""Who is there: the platform's people, buying units with their staff, buyers. Roles, no names."""

from __future__ import annotations

from kernel import clock, factor
from kernel.identity import OrganisationKind, Role
from kernel.money import Money
from marketplace.demo import facts
from marketplace.demo.note import PLATFORM
from marketplace.demo.world import World
from orders.actions.members import set_staff_list
from orders.actions.units import add_unit, set_target

FACTORED = ("staff", "staff2", "admin", "operator")
"""Who has the demo's second factor: `flask demo code` tells its code."""
MEMBERS = {"lc-union": 6, "yb-helper": 4, "dg-dalang": 2}
"""How many colleagues of which units have accounts."""
DEPARTMENTS = ("办公室", "宣教部", "财务部", "组织部", "经济技术部")
FIRST_NUMBER = 201
"""The staff number of a unit's coordinator; its other staff follow, one number each."""
COORDINATORS = {"lc-union": "coordinator"}


def settle(world: World) -> None:
    """Bring everybody in."""
    platform = world.organisation(
        OrganisationKind.PLATFORM, PLATFORM, "乡集平台", "Xiangji platform"
    )
    operator = world.organisation(
        OrganisationKind.CABINET_OPERATOR, "cabinet-operator", "智能柜运营方", "Cabinet operator"
    )
    world.account("admin", "平台管理员", "Administrator", (Role.ADMIN, platform))
    world.account("auditor", "审计员", "Auditor", (Role.AUDITOR, platform))
    world.account("staff", "平台工作人员", "Platform staff", (Role.STAFF, platform))
    world.account("staff2", "平台复核人员", "Second staff", (Role.STAFF, platform))
    world.account("host", "直播主播", "Host of broadcasts", (Role.HOST, platform))
    world.account("operator", "智能柜运营员", "Cabinet operator", (Role.OPERATOR, operator))
    factored = [world.accounts[login] for login in FACTORED]
    factor.enrol_known(factored, factor.DEMO_SECRET)
    world.account("buyer", "示范买家", "Sample buyer")
    world.account("volunteer", "乡村推广志愿者", "Village volunteer")
    for row in facts.rows("buying_units"):
        _unit(world, row)


def _unit(world: World, row: dict[str, str]) -> None:
    code = row["code"]
    unit = add_unit(
        code,
        row["name_zh"],
        row["name_en"],
        kind=row["kind"],
        city=row["city"],
        staff=int(row["staff"]),
    )
    unit_id = world.organisations[code] = unit.id
    set_target(
        unit_id,
        clock.local(world.diary.now).year,
        Money(int(row["annual_food_budget_fen"])),
        int(row["reserved_percent"]) * 100,
    )
    numbers = range(FIRST_NUMBER, FIRST_NUMBER + int(row["staff"]))
    set_staff_list(unit_id, "\n".join(f"{n:04d} {_department(n)}" for n in numbers))
    login = COORDINATORS.get(code, f"coordinator-{code}")
    world.account(
        login,
        f"{row['name_zh']}集体订购联系人",
        f"Coordinator of {row['name_en']}",
        (Role.COORDINATOR, unit_id),
        (Role.OFFICIAL, unit_id),
        staff_number=f"{FIRST_NUMBER:04d}",
        department=_department(FIRST_NUMBER),
    )
    for n in range(1, MEMBERS.get(code, 0) + 1):
        number = FIRST_NUMBER + n
        first = code == "lc-union" and n == 1
        world.account(
            "official" if first else f"official-{code}-{n}",
            f"{_department(number)} {number:04d}",
            f"Staff {number:04d}",
            (Role.OFFICIAL, unit_id),
            staff_number=f"{number:04d}",
            department=_department(number),
        )


def _department(number: int) -> str:
    return DEPARTMENTS[(number - FIRST_NUMBER) % len(DEPARTMENTS)]
